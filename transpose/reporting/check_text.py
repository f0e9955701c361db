"""Text of a data set's check."""

from collections.abc import Mapping

from transpose.data.check import BoxCheck, CheckedSplit
from transpose.data.split_check import SplitCheck


def render_check(split: str, checked: CheckedSplit) -> str:
    """Return what was found in a split and its boxes, as lines of text."""
    return "\n".join((render_split(split, checked.split.check), *map(_boxes_line, checked.boxes.items())))


def render_split(split: str, check: SplitCheck) -> str:
    """Return what was found in a split, as lines of text."""
    lines = [f"{split}: {check.images:,} images, {check.persons:,} persons with labelled keypoints"]
    if check.derived:
        lines.append(f"  derived: {counts_text(check.derived)}")
    if check.left_out:
        lines.append(f"  left out: {counts_text(check.left_out)}")
    lines += [f"  warning: {warning.kind}: {warning.count:,}; {warning.first}" for warning in check.warnings]
    return "\n".join(lines)


def _boxes_line(item: tuple[str, BoxCheck]) -> str:
    name, found = item
    parts = ["not known without a download or a detector" if found.count is None else f"{found.count:,}"]
    if found.left_out:
        parts.append(f"left out: {counts_text(found.left_out)}")
    parts += [f"warning: {warning.kind}: {warning.first}" for warning in found.warnings]
    return f"  boxes {name}: {'; '.join(parts)}"


def counts_text(counts: Mapping[str, int]) -> str:
    """Return names and numbers in one line."""
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items())
