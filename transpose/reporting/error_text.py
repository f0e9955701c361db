"""Text of error types and calibration of a set of predictions; AP and errors are in percent."""

from collections.abc import Iterator, Mapping

from transpose.evaluation.calibration import Calibration
from transpose.evaluation.error_types.report import ErrorGroup, ErrorTypes
from transpose.evaluation.intervals import Estimate
from transpose.evaluation.reliability import Reliability

_NAMES = {"best_of_person": "best not first", "order": "out of order"}


def render_errors(errors: ErrorTypes) -> str:
    """Return all types of errors with counts and the AP that mending each alone would gain."""
    lines = [
        f"keypoint errors ({errors.good:,} keypoints are good): number, and AP if they alone were mended",
        *_gains(errors.keypoints),
        f"wrong predictions ({errors.correct:,} are correct, {errors.ignored:,} ignored,"
        f" {errors.beyond_limit:,} beyond 20 in an image)",
        *_gains(errors.predictions),
        "scoring errors",
        *_gains(errors.scores),
    ]
    for kind, groups in (errors.groups or {}).items():
        lines += _groups(kind, groups)
    return "\n".join(lines)


def render_calibration(calibration: Calibration) -> str:
    """Return the expected calibration errors, and AP after rescoring."""
    lines = ["calibration: expected calibration error in percent"]
    parts = {
        "keypoint scores": (calibration.keypoints, calibration.keypoints_by_size, calibration.keypoints_by_visibility),
        "person scores": (calibration.persons, calibration.persons_by_size),
    }
    for name, (total, *groups) in parts.items():
        if total is not None:
            lines.append(_line(name, _error(total)))
            lines += [_line(f"  {group}", _error(one)) for part in groups for group, one in part.items()]
    lines += [f"  not measured: {note}" for note in calibration.notes]
    if calibration.rescored is not None:
        lines.append(f"AP with scores corrected for size: {gain_text(calibration.rescored)}")
    return "\n".join(lines)


def gain_text(estimate: Estimate) -> str:
    """Return a difference of AP and its interval in percent points; `-` where it is undefined."""
    if estimate.value is None:
        return "-"
    interval = ""
    if estimate.low is not None and estimate.high is not None:
        interval = f"  [{100 * estimate.low:+.2f}, {100 * estimate.high:+.2f}]"
    return f"{100 * estimate.value:+.2f}{interval}"


def type_name(name: str) -> str:
    """Return the name of a type of error in text."""
    return _NAMES.get(name, name)


def _gains(estimates: Mapping[str, Estimate]) -> Iterator[str]:
    for name, estimate in estimates.items():
        yield f"  {type_name(name):<15} {estimate.count:>9,}   {gain_text(estimate)}"


def _groups(kind: str, groups: Mapping[str, ErrorGroup]) -> Iterator[str]:
    """Return a table of one kind of groups: the share of each class, and the AP that all their errors cost."""
    classes = list(next(iter(groups.values())).counts)
    width = max(map(len, (kind, *groups)))
    yield f"by {kind}, % of keypoints"
    yield f"  {'':<{width}} {'keypoints':>9}" + "".join(f" {name:>10}" for name in classes) + "   AP if mended"
    for name, group in groups.items():
        total = sum(group.counts.values())
        shares = (f"{100 * count / total:.1f}" if total else "-" for count in group.counts.values())
        gain = gain_text(group.ap_gain) if total else "-"
        yield f"  {name:<{width}} {total:>9,}" + "".join(f" {share:>10}" for share in shares) + f"   {gain}"


def _error(reliability: Reliability) -> str:
    error = reliability.ece
    if error.value is None:
        return f"{'-':>6}   ({error.count:,})"
    interval = "" if error.low is None or error.high is None else f"  [{100 * error.low:.2f}, {100 * error.high:.2f}]"
    return f"{100 * error.value:>6.2f}{interval}   ({error.count:,})"


def _line(name: str, text: str) -> str:
    return f"  {name:<16} {text}"
