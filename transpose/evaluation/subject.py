"""What every report says that it is about: a trained model, data and boxes."""

from pathlib import Path

from pydantic import NonNegativeInt

from transpose.config.base import Name, Settings, parse
from transpose.config.dataset import BoxKind, Dataset
from transpose.config.load import read_record
from transpose.config.run_record import RunRecord
from transpose.config.study import EvalSetting
from transpose.data.boxes import read_boxes
from transpose.files import sha256_of_file
from transpose.study.layout import RunFolder


class Subject(Settings):
    """Which trained model was evaluated on what, with the digests that pin both."""

    variant: Name
    title: str
    seed: NonNegativeInt
    initialisation: str
    dataset: Name
    dataset_title: str
    split: Name
    boxes: Name
    boxes_kind: BoxKind
    box_count: NonNegativeInt
    """Boxes that the model was run on."""
    weights_sha256: str
    annotations_sha256: str
    boxes_sha256: str

    @classmethod
    def of_files(
        cls, dataset: Dataset, setting: EvalSetting, annotations: Path, run: RunFolder, boxes: Path
    ) -> "Subject":
        """The model of a run on the data and boxes of a setting.

        Raises:
            InputError: a file is missing or wrong.
        """
        trained = read_record(RunRecord, run.record)
        values = {
            "variant": trained.variant,
            "title": trained.title,
            "seed": trained.seed,
            "initialisation": trained.initialisation,
            **setting._asdict(),
            "dataset_title": dataset.title,
            "boxes_kind": dataset.boxes[setting.boxes].kind,
            "box_count": len(read_boxes(boxes)),
            "weights_sha256": sha256_of_file(run.weights),
            "annotations_sha256": sha256_of_file(annotations),
            "boxes_sha256": sha256_of_file(boxes),
        }
        return parse(cls, values, f"{run.folder} on {setting}")
