"""The page of persons: predictions and dependency areas of all models with an encoder."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from transpose.errors import InputError
from transpose.files import read_json, read_npz
from transpose.reporting.study_page.blocks import Block, Figure, Gallery, Link, Page, Paragraph, Part
from transpose.reporting.study_page.person_image import PersonFigure, PersonMaps
from transpose.reporting.study_page.place import Place
from transpose.study.layout import RunId

_ARRAYS = ("dependency_unflipped", "keypoints_xy", "keypoint_scores", "crops")
_INTRODUCTION = (
    "Predicted keypoints and dependency areas of annotated persons, by the first training of each model with an"
    " encoder. Colours: attention of the keypoint's cell in the last layer, mean over heads, in multiples of uniform"
    " attention, on one logarithmic scale per image; cells below uniform attention are grey. Stars are the predicted"
    " keypoints, numbers their scores. A few keypoints are shown; the explorer has all, with all layers and heads."
)


class _Shown(NamedTuple):
    """One person by one model."""

    dataset: str
    split: str
    name: str
    """Image and annotation id."""
    variant: str
    url: str


def persons_page(place: Place, images: Path) -> Page:
    """Draw all persons of the study's attention maps into a folder, and return their page.

    Raises:
        InputError: an attention map is broken.
    """
    shown: dict[tuple[str, str], dict[str, list[_Shown]]] = {}
    for one in _draw_all(place, images):
        shown.setdefault((one.dataset, one.split), {}).setdefault(one.name, []).append(one)
    parts = []
    for split, persons in shown.items():
        blocks: list[Block] = [_explorer(place, *split), *(_person(place, models) for models in persons.values())]
        parts.append(Part(_split_title(place, *split), blocks))
    absent = Part("Persons", [Paragraph("No model of this study has an encoder, so there are no attention maps.")])
    return Page("persons.html", "Predictions and dependency areas", _INTRODUCTION if parts else "", parts or [absent])


def persons_part(place: Place, page: Page) -> Part:
    """Return the link to the page, with the explorers."""
    persons = sum(isinstance(block, Part) for part in page.parts for block in part.blocks)
    text = f"{persons} persons with the predicted pose and the dependency areas of a few keypoints, by each model:"
    blocks: list[Block] = [Paragraph(text, [Link(page.title, page.file)])]
    blocks += [_explorer(place, *split) for split in place.files.study.evaluated_splits()]
    return Part("Predictions and dependency areas", blocks, "persons")


def _explorer(place: Place, dataset: str, split: str) -> Paragraph:
    path = place.files.layout.viewer(dataset, split)
    title = _split_title(place, dataset, split)
    if not path.is_file():
        return Paragraph(f"There is no attention explorer of {title}.")
    megabytes = path.stat().st_size / 1e6
    return Paragraph("Any cell, layer and head:", [place.link(f"explorer of {title} ({megabytes:.1f} MB)", path)])


def _split_title(place: Place, dataset: str, split: str) -> str:
    return f"{place.files.datasets[dataset].title}, {split}"


def _person(place: Place, models: list[_Shown]) -> Part:
    figures = [Figure(one.url, place.files.recipes[one.variant].variant.title, chart=False) for one in models]
    return Part(models[0].name, [Gallery(figures)])


def _draw_all(place: Place, images: Path) -> Iterator[_Shown]:
    for dataset, split in place.files.study.evaluated_splits():
        for variant, recipe in place.files.recipes.items():
            folder = place.files.layout.attention(RunId(variant, 0), dataset, split)
            if recipe.variant.encoder is None or not (folder / "maps.npz").is_file():
                continue
            figure = PersonFigure(recipe.variant, place.files.datasets[dataset].skeleton)
            for index, (name, maps) in enumerate(_maps(folder)):
                path = images / f"{dataset}_{split}_{index}_{variant}.webp"
                figure.write(maps, path)
                yield _Shown(dataset, split, name, variant, place.url(place.files.layout.report_persons / path.name))


def _maps(folder: Path) -> Iterator[tuple[str, PersonMaps]]:
    arrays = read_npz(folder / "maps.npz", _ARRAYS, "attention maps")
    record = read_json(folder / "persons.json")
    if len(record["persons"]) != len(arrays["crops"]):
        raise InputError(
            "not the persons of maps.npz; run its rule again", file=folder / "persons.json", field="persons"
        )
    height, width = record["grid"]
    for index, person in enumerate(record["persons"]):
        last = arrays["dependency_unflipped"][index, -1].reshape(-1, height, width) * (height * width)
        points, scores = arrays["keypoints_xy"][index], arrays["keypoint_scores"][index]
        yield (
            f"{person['image']}, person {person['annotation_id']}",
            PersonMaps(arrays["crops"][index], points, scores, last),
        )
