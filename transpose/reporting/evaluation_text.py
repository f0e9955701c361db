"""Text of the evaluation of a results file."""

from collections.abc import Mapping

from transpose.evaluation.external_evaluation import ExternalReport
from transpose.evaluation.matches import STATISTICS
from transpose.reporting.check_text import counts_text


def render_evaluation(report: ExternalReport) -> str:
    """Return counts, metrics and what was derived or left out, as lines of text; metrics are in percent."""
    low, high = map(_percent, report.interval)
    settings, width = report.bootstrap, max(map(len, STATISTICS))
    interval = f"  [{low}, {high}]: {settings.level:.0%} interval, bootstrap over images ({settings.samples:,} samples)"
    lines = [
        f"{report.images:,} images, {report.persons:,} persons with labelled keypoints,"
        f" {report.predictions:,} predictions"
    ]
    if report.subset:
        lines.append("a subset: only the images with a prediction")
    elif report.images_without_predictions:
        lines.append(f"{report.images_without_predictions:,} images with persons have no prediction")
    lines += [
        f"{name:<{width}} {_percent(report.metrics[name]):>6}{interval if name == 'AP' else ''}" for name in STATISTICS
    ]
    lines += [
        f"AP, {name} ({subset.images:,} images by crowd index): {_percent(subset.ap)}"
        for name, subset in (report.crowding or {}).items()
    ]
    lines += [
        f"AP, AR of {name} ({part.keypoints} keypoints, {part.persons:,} persons):"
        f" {_percent(part.ap)}, {_percent(part.ar)}"
        for name, part in (report.parts or {}).items()
    ]
    lines += _extended(report)
    lines.append(f"agreed: {', '.join(report.reference_check.evaluators)}")
    lines += report.reference_check.notes
    lines += _counts("annotations", report.annotations_derived, report.annotations_left_out)
    lines += _counts("predictions", report.predictions_derived, report.predictions_left_out)
    return "\n".join(lines)


def _extended(report: ExternalReport) -> list[str]:
    """Return the AP by extended OKS; nothing if it is not known."""
    if report.extended is None:
        return []
    known, ap = report.extended, report.extended.ap
    value, low, high = (-1.0 if one is None else one for one in (ap.value, ap.low, ap.high))
    return [
        f"AP by extended OKS ({known.keypoints_out:,} known keypoints outside of the window, in from a score of"
        f" {known.threshold:g}): {_percent(value)}  [{_percent(low)}, {_percent(high)}]"
    ]


def _percent(fraction: float) -> str:
    """Return a fraction in percent; `-` where it is undefined."""
    return f"{100 * fraction:.2f}" if fraction >= 0 else "-"


def _counts(what: str, derived: Mapping[str, int], left_out: Mapping[str, int]) -> list[str]:
    parts = {"derived": derived, "left out": left_out}
    return [f"{what}, {name}: {counts_text(counts)}" for name, counts in parts.items() if counts]
