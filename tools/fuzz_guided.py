"""Coverage-guided fuzzing of one kind of input file (needs `pip install atheris`).

    python tools/fuzz_guided.py KIND [SECONDS]

Stops at the first file that is neither read nor refused by a one-line InputError, and writes it to `crash-*` in the
current folder. `tools/fuzz.py` is not guided by coverage but also changes values in JSON.
"""

import sys
import tempfile
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

# Not in the lock file, since atheris has no wheels for some platforms.
atheris = import_module("atheris")

with atheris.instrument_imports(include=["transpose"]):
    from tests.conftest import write_tiny_dataset
    from tests.helpers.damage import Kind, damaged, is_clear, kinds_of, path_of
    from transpose.errors import InputError

_SEEDS = 200
"""Number of damaged files in the initial corpus."""


def main() -> None:
    name, seconds = (*sys.argv[1:], "60")[:2]
    folder = Path(tempfile.mkdtemp())
    (folder / "scratch").mkdir()
    kinds = kinds_of(write_tiny_dataset(folder / "tiny"), folder / "scratch")
    if name not in kinds:
        raise SystemExit(f"no kind {name!r}: one of {', '.join(kinds)}")
    kind = kinds[name]
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate([kind.whole, *(damaged(kind, seed) for seed in range(_SEEDS))]):
        (corpus / str(number)).write_bytes(data)
    path = path_of(name, kind, folder / "cases")
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", str(corpus)], lambda data: read(kind, path, data))
    atheris.Fuzz()


def read(kind: Kind, path: Path, data: bytes) -> None:
    """Read a file with this content; any exception other than a clear InputError is a finding."""
    path.write_bytes(data)
    try:
        kind.read(path)
    except InputError as refusal:
        if not is_clear(str(refusal), path):
            raise RuntimeError(str(refusal)) from refusal


if __name__ == "__main__":
    main()
