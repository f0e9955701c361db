"""Numbers of person crops of a split, and their sources."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from transpose.config.dataset import DetectionBoxes, GroundTruthBoxes, SimulatedBoxes, SyntheticSource
from transpose.config.study import EvalSetting, Split
from transpose.data.coco import load_annotations, training_instances
from transpose.errors import InputError
from transpose.files import read_json
from transpose.study.plan import Plan


@dataclass(frozen=True)
class Crops:
    """A number of person crops, None if unknown, and a text on its origin."""

    number: int | None
    origin: str


def labelled_persons(plan: Plan, split: Split) -> Crops:
    """Count labelled persons of a split, for training or prediction in ground-truth boxes.

    Raises:
        InputError: the annotations exist but are wrong.
    """
    settings, dataset = plan.study.forecast, plan.datasets[split.dataset]
    number = settings.persons.get(split.dataset, {}).get(split.split)
    if number is not None:
        return Crops(number, "forecast.persons")
    annotations = Path(plan.data.split_annotations(split))
    if annotations.is_file():
        return Crops(len(training_instances(load_annotations(annotations, dataset.skeleton))), "its annotations")
    if isinstance(dataset.source, SyntheticSource):
        images = dataset.source.images[split.split]
        expected = round(images * settings.rendered_persons_per_image)
        return Crops(expected, "expected, not rendered yet")
    return Crops(None, "unknown: no annotations yet, nothing in forecast.persons")


def boxes_of(plan: Plan, split: Split, source: str) -> Crops:
    """Count the boxes of a box source on a split.

    Raises:
        InputError: an existing annotation or detection file is wrong.
    """
    boxes = plan.datasets[split.dataset].boxes[source]
    if isinstance(boxes, GroundTruthBoxes):
        return labelled_persons(plan, split)
    if isinstance(boxes, SimulatedBoxes):
        persons = labelled_persons(plan, split)
        return persons if persons.number is None else Crops(persons.number, "assumed equal to labelled persons")
    number = plan.study.forecast.detections.get(split.dataset, {}).get(split.split)
    if number is not None:
        return Crops(number, "forecast.detections")
    if isinstance(boxes, DetectionBoxes) and Path(boxes.files[split.split]).is_file():
        return Crops(_records(Path(boxes.files[split.split])), "its detection file")
    return Crops(None, "unknown: no detection file yet, nothing in forecast.detections")


@dataclass(frozen=True)
class StudyCrops:
    """All numbers of person crops of a study."""

    train: Crops
    validation: Crops
    predicted: Mapping[EvalSetting, Crops]


def count_crops(plan: Plan) -> StudyCrops:
    """Count the person crops of a study.

    Raises:
        InputError: an existing annotation or detection file is wrong.
    """
    study = plan.study
    return StudyCrops(
        labelled_persons(plan, study.train),
        labelled_persons(plan, study.validation),
        {
            setting: boxes_of(plan, evaluation, setting.boxes)
            for evaluation in study.evaluations
            for setting in evaluation.settings()
        },
    )


def _records(path: Path) -> int:
    records = read_json(path)
    if not isinstance(records, list):
        raise InputError("must be a list of detections", file=path)
    return len(records)
