"""What rules rerun by."""

from transpose.study.layout import RecordKind
from transpose.study.plan import Plan


def record_digests(plan: Plan) -> dict[tuple[RecordKind, str], str]:
    """Digest of every record of a study."""
    return {(kind, name): plan.digest(kind, name) for kind, blocks in plan.records().items() for name in blocks}
