"""A study laid out as files: what the workflow's rules ask, so that they hold no logic of their own."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Protocol

from transpose.config.base import Settings, parse
from transpose.config.dataset import Dataset, DetectionBoxes, FolderSource, PhotographsSource, SyntheticSource
from transpose.config.load import load_dataset, load_variant, training_of
from transpose.config.recipe import Recipe
from transpose.config.resolution import InputSizes, check_sizes
from transpose.config.study import Evaluation, SideStudy, Split, Study
from transpose.errors import InputError
from transpose.provenance import PACKAGE

PHOTOGRAPHS = PACKAGE / "data" / "photographs"


class Wildcards(Protocol):
    """The wildcards of a rule that handles boxes of a split."""

    dataset: str
    split: str
    boxes: str


@dataclass(frozen=True)
class Plan:
    """A validated study with its variants' recipes and its data sets."""

    study: Study
    recipes: Mapping[str, Recipe]
    datasets: Mapping[str, Dataset]

    @classmethod
    def of_config(cls, values: Mapping[str, Any], folder: Path, source: str = "study") -> "Plan":
        """Validate a study's values and read what it names from `folder`/variants and `folder`/datasets.

        Args:
            source: the study's file, for messages.

        Raises:
            InputError: a key is unknown or wrong, or a variant, data set, split or box source does not exist.
        """
        study = parse(Study, dict(values), source)
        recipes = {
            name: Recipe(
                name=name,
                variant=load_variant(name, folder / "variants"),
                training=training_of(study, name, source),
            )
            for name in study.variants
        }
        used = (study.train, study.validation, *study.evaluations)
        datasets = {split.dataset: load_dataset(split.dataset, folder / "datasets") for split in used}
        plan = cls(study, recipes, datasets)
        plan._check_splits(source)
        if study.resolutions is not None:
            for name in study.resolutions.variants:
                check_sizes(name, recipes[name].variant, study.resolutions, source)
        return plan

    def record(self, kind: str, name: str) -> str:
        """Canonical JSON of a resolved block of configuration: the same text for the same values."""
        blocks: Mapping[str, Mapping[str, Settings]] = {
            "recipes": self.recipes,
            "datasets": self.datasets,
            "protocols": {"study": self.study.protocol},
            "costs": {"study": self.study.cost},
            "explanations": {"study": self.study.explanation},
            "resolutions": self._input_sizes(),
            "studies": {self.study.name: self.study},
        }
        return json.dumps(blocks[kind][name].model_dump(mode="json"), sort_keys=True)

    def annotations(self, wildcards: Wildcards) -> str:
        """Annotation file of the data set and split that the wildcards name."""
        return self.split_annotations(Split(dataset=wildcards.dataset, split=wildcards.split))

    def split_annotations(self, split: Split) -> str:
        """Annotation file of a split; its pictures are in `images/` beside it."""
        source = self.datasets[split.dataset].source
        if isinstance(source, PhotographsSource):
            return os.path.relpath(PHOTOGRAPHS / "annotations.json")
        if isinstance(source, FolderSource):
            return f"{source.folders[split.split]}/annotations.json"
        return f"{self.study.resources}/{split.dataset}/{split.split}/annotations.json"

    def detections(self, wildcards: Wildcards) -> list[str]:
        """Detection file behind a box source, if it has one."""
        source = self.datasets[wildcards.dataset].boxes[wildcards.boxes]
        return [source.files[wildcards.split]] if isinstance(source, DetectionBoxes) else []

    def backbone_weights(self, variant: str) -> list[str]:
        """Pretrained backbone that a variant starts from, if any."""
        path = self.recipes[variant].training.backbone_weights
        return [path] if path else []

    def runs(self) -> Iterator[tuple[str, int]]:
        """(variant, seed) of every training."""
        return product(self.study.variants, range(self.study.seeds))

    def metrics(self) -> list[str]:
        """Metrics file of every run on every evaluation."""
        return [path for variant, seed in self.runs() for path in self.metrics_of(variant, seed)]

    def metrics_of(self, variant: str, seed: int | str) -> list[str]:
        """Metrics files of one run."""
        return [
            f"{self.study.results}/metrics/{variant}/seed{seed}/{e.dataset}/{e.split}/{boxes}.json"
            for e in self.study.evaluations
            for boxes in e.boxes
        ]

    def protocol_ablations(self) -> list[str]:
        """Files of the protocol ablation; none where the study asks for none."""
        return [f"{place}.json" for place in self._side_places("protocols", self.study.protocol_ablation)]

    def resolutions(self) -> list[str]:
        """Folders of results at other input sizes; none where the study asks for none."""
        return self._side_places("resolutions", self.study.resolutions)

    def resolution_figures(self) -> list[str]:
        """Figures of AP against input size."""
        if self.study.resolutions is None:
            return []
        places = self.study.resolutions.places()
        return [f"{self.study.results}/figures/resolutions_{'_'.join(place)}.png" for place in places]

    def side_tables(self) -> list[str]:
        """Tables of the side studies that the study asks for."""
        chosen = {"protocol_ablation": self.study.protocol_ablation, "resolutions": self.study.resolutions}
        return [f"{self.study.results}/{name}.html" for name, side in chosen.items() if side is not None]

    def explanations_of(self, variant: str, seed: int | str) -> list[str]:
        """Attention maps of one run on every evaluated split; none without an encoder."""
        if self.recipes[variant].variant.encoder is None:
            return []
        return [
            f"{self.study.results}/attention/{variant}/seed{seed}/{e.dataset}/{e.split}/maps.npz"
            for e in self.study.evaluations
        ]

    def names_of_rendered(self) -> str:
        """Regular expression of the data sets that are rendered; it matches nothing if none is."""
        names = [name for name, dataset in self.datasets.items() if isinstance(dataset.source, SyntheticSource)]
        return "|".join(names) or "(?!)"

    def keypoints(self) -> int:
        """Keypoints of the models: those of the data set that they are trained on."""
        return len(self.datasets[self.study.train.dataset].skeleton)

    def training_data(self) -> str:
        """What the study trains on, in words."""
        return f"{self.datasets[self.study.train.dataset].title}, split {self.study.train.split}"

    def figures(self) -> list[str]:
        """Files of the comparison's figures: one pair for each evaluated split, on its first box source."""
        places = [f"{e.dataset}_{e.split}_{e.boxes[0]}" for e in self.study.evaluations]
        names = ["training", *(f"{kind}_{place}" for place in places for kind in ("accuracy", "joints"))]
        return [f"{self.study.results}/figures/{name}.png" for name in names]

    def _side_places(self, kind: str, side: SideStudy | None) -> list[str]:
        if side is None:
            return []
        return [
            f"{self.study.results}/{kind}/{variant}/seed{seed}/{'/'.join(place)}"
            for variant, seed, place in product(side.variants, range(self.study.seeds), side.places())
        ]

    def _input_sizes(self) -> Mapping[str, Settings]:
        """What decides the figures at other sizes; which variants are looked at does not."""
        chosen = self.study.resolutions
        return {} if chosen is None else {"study": InputSizes(sizes=chosen.sizes, position=chosen.position)}

    def _check_splits(self, source: str) -> None:
        for split in (self.study.train, self.study.validation, *self.study.evaluations):
            dataset = self.datasets[split.dataset]
            known = _splits(dataset)
            if split.split not in known:
                known_text = ", ".join(known)
                raise InputError(source, split.dataset, "split", f"no split {split.split!r}; known are {known_text}")
            for boxes in split.boxes if isinstance(split, Evaluation) else ():
                if boxes not in dataset.boxes:
                    known_text = ", ".join(dataset.boxes)
                    raise InputError(source, split.dataset, "boxes", f"no source {boxes!r}; known are {known_text}")
                detections = dataset.boxes[boxes]
                if isinstance(detections, DetectionBoxes) and split.split not in detections.files:
                    raise InputError(split.dataset, boxes, "files", f"no detection file for split {split.split!r}")


def use_this_interpreter() -> None:
    """Let rules' commands run in the interpreter that runs the workflow, even if its environment is not activated."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _splits(dataset: Dataset) -> list[str]:
    if isinstance(dataset.source, PhotographsSource):
        return ["val"]
    return list(dataset.source.folders if isinstance(dataset.source, FolderSource) else dataset.source.pictures)
