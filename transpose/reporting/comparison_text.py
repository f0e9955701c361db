"""Text of the comparison of two results files; AP and errors are in percent."""

from collections.abc import Iterator
from pathlib import Path

from transpose.evaluation.matches import STATISTICS
from transpose.evaluation.results_comparison import SMALL_DIFFERENCE, ComparedResults, ResultsComparison
from transpose.reporting.error_text import gain_text, type_name


def render_comparison(comparison: ResultsComparison) -> str:
    """Return metrics, errors and calibration of both files with their differences, and what decides them."""
    settings = comparison.bootstrap
    lines = [f"{name} = {one.file}: {one.predictions:,} predictions" for name, one in _named(comparison)]
    lines.append(f"{comparison.images:,} images, {comparison.persons:,} persons with labelled keypoints")
    if comparison.subset:
        lines.append("a subset: only the images in which all files have a prediction")
    lines += [
        f"{name}: {one.images_without_predictions:,} images with persons have no prediction"
        for name, one in _named(comparison)
        if one.images_without_predictions
    ]
    over = "images"
    if comparison.trainings > 1:
        over = f"images and {comparison.trainings} pairs of trainings"
        lines.append("A and B below are of the first pair; A - B of AP, AP50, AP75 and AR is the mean over all pairs")
    lines.append(f"{'':<15} {'A':>9} {'B':>9}   A - B  [{settings.level:.0%} interval over {over}, paired]")
    lines += _metrics(comparison)
    lines += _errors(comparison)
    lines += _calibration(comparison)
    lines += _over_trainings(comparison)
    lines += _needed(comparison)
    lines += _deciding(comparison)
    return "\n".join(lines)


def _named(comparison: ResultsComparison) -> list[tuple[str, ComparedResults]]:
    return list(zip(("A", "B"), comparison.results, strict=True))


def _metrics(comparison: ResultsComparison) -> Iterator[str]:
    for name in STATISTICS:
        values = (one.metrics[name] for one in comparison.results)
        first, second = (f"{100 * value:.2f}" if value >= 0 else "-" for value in values)
        difference = comparison.metrics.get(name)
        yield f"{name:<15} {first:>9} {second:>9}   {'' if difference is None else gain_text(difference)}".rstrip()


def _errors(comparison: ResultsComparison) -> Iterator[str]:
    """Yield the number of errors of each type in both files, and the difference of the AP that they cost."""
    yield f"{'errors':<15} {'A':>9} {'B':>9}   AP lost by A - by B"
    first, second = (one.errors.costs for one in comparison.results)
    for name, difference in comparison.errors.items():
        yield f"  {type_name(name):<13} {first[name].count:>9,} {second[name].count:>9,}   {gain_text(difference)}"


def _calibration(comparison: ResultsComparison) -> Iterator[str]:
    for name, difference in comparison.calibration.items():
        yield f"calibration error of {name}: A - B {gain_text(difference)}"


def _needed(comparison: ResultsComparison) -> Iterator[str]:
    needed, small = comparison.images_needed, 100 * SMALL_DIFFERENCE
    trainings = comparison.trainings_needed
    images = "only with more than 1,000 times these images" if needed is None else f"with about {needed:,} images"
    yield f"a true difference of {small:.1f} AP would be clear {images}; here are {comparison.images:,}"
    if comparison.trainings == 1:
        yield "other trainings of the same models are not covered: --also-a and --also-b add results of more seeds"
    elif trainings is None:
        yield "no number of trainings on these images would make it clear"
    else:
        yield f"or with {trainings:,} pairs of trainings on these images; here are {comparison.trainings}"


def _over_trainings(comparison: ResultsComparison) -> Iterator[str]:
    """Yield the parts of the interval of AP and the sign-flip test; nothing with one pair of trainings."""
    if comparison.half_widths is not None:
        of_images, of_trainings = (100 * half for half in comparison.half_widths)
        yield f"half the interval of AP: {of_images:.2f} by images, {of_trainings:.2f} by trainings (squares add up)"
    if comparison.sign_flip_p is not None:
        found, smallest = comparison.sign_flip_p, 2.0 ** (1 - comparison.trainings)
        yield f"sign-flip test over {comparison.trainings} pairs: p = {found:.3g} (at least {smallest:.3g})"


def _deciding(comparison: ResultsComparison) -> Iterator[str]:
    if comparison.deciding_images:
        yield "images that change A - B most (AP with minus without the image)"
    for image in comparison.deciding_images:
        yield f"  {100 * image.effect:+.3f}  {_name(image.file_name, image.image_id)}, {image.persons} persons"
    if comparison.deciding_persons:
        yield "persons with the most different OKS (A, B)"
    for person in comparison.deciding_persons:
        first, second = person.oks
        yield f"  {first:.3f} {second:.3f}  {_name(person.file_name, person.image_id)}, id {person.annotation_id}"


def _name(file_name: str, image_id: int) -> str:
    return f"{Path(file_name).name} (image {image_id})"
