"""A study laid out as files: what the workflow's rules ask, so that they hold no logic of their own."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Protocol

from transpose.config.attention import AttentionMeasures
from transpose.config.base import Settings, parse
from transpose.config.box_files import BoxFile, absent_box_file, box_file
from transpose.config.dataset import (
    ArchivedSplit,
    ArchivesSource,
    Dataset,
    DetectionBoxes,
    DetectorBoxes,
    FolderSource,
    PhotographsSource,
    SyntheticSource,
)
from transpose.config.load import load_dataset, load_variant, training_of
from transpose.config.precision import Precisions
from transpose.config.recipe import Recipe
from transpose.config.records import values_of_record
from transpose.config.resolution import InputSizes, check_sizes
from transpose.config.study import AttentionStudy, Evaluation, SideStudy, Split, Study
from transpose.errors import InputError
from transpose.provenance import PACKAGE

ATTENTION_TABLES = ["attention_statistics", "faithfulness", "attention_ablation", "body_parts", "findings"]
"""Tables of measured explanations."""

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
    def of_config(cls, values: object, folder: Path, source: str = "study") -> "Plan":
        """Validate a study's values and read what it names from `folder`/variants and `folder`/datasets.

        Args:
            source: the study's file, for messages.

        Raises:
            InputError: a key is unknown or wrong, or a variant, data set, split or box source does not exist.
        """
        study = parse(Study, values, source)
        recipes = {
            name: Recipe(
                name=name,
                variant=load_variant(name, folder / "variants"),
                training=training_of(study, name, source),
            )
            for name in study.variants
        }
        used = (study.train, study.validation, *study.evaluations, *study.submissions)
        datasets = {split.dataset: load_dataset(split.dataset, folder / "datasets") for split in used}
        plan = cls(study, recipes, datasets)
        plan._check_splits(source)
        plan._check_released(source)
        plan._check_side_studies(source)
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
            "attention": self._attention_measures(),
            "resolutions": self._input_sizes(),
            "precisions": self._precisions(),
            "studies": {self.study.name: self.study},
        }
        return json.dumps(values_of_record(blocks[kind][name]), sort_keys=True)

    def annotations(self, wildcards: Wildcards) -> str:
        """Annotation file of the data set and split that the wildcards name."""
        return self.split_annotations(Split(dataset=wildcards.dataset, split=wildcards.split))

    def split_annotations(self, split: Split) -> str:
        """Annotation file of a split; its pictures are beside it, or where `pictures.json` beside it says."""
        source = self.datasets[split.dataset].source
        if isinstance(source, PhotographsSource):
            return os.path.relpath(PHOTOGRAPHS / "annotations.json")
        if isinstance(source, FolderSource) and not _is_sifted(self.datasets[split.dataset]):
            return f"{source.folders[split.split]}/annotations.json"
        return f"{self.study.resources}/{split.dataset}/{split.split}/annotations.json"

    def box_file(self, wildcards: Wildcards, must_exist: bool = True) -> list[str]:
        """Detection file or model behind a box source, if it has one; that of a URL where it will be fetched to.

        Args:
            must_exist: refuse a file that is not there; otherwise it is left out, as a dry run wants it.

        Raises:
            InputError: the source names a file that is not there.
        """
        dataset = self.datasets[wildcards.dataset]
        file = box_file(dataset.boxes[wildcards.boxes], wildcards.split)
        if file is None:
            return []
        path = file.local_path(self._fetched())
        if not file.is_remote and not path.is_file():
            if not must_exist:
                return []
            raise absent_box_file(path, dataset, wildcards.split, wildcards.boxes)
        return [str(path)]

    def remote_box_file(self, path: str) -> BoxFile:
        """The file from a URL that is fetched to a path.

        Raises:
            InputError: no box source of the study needs it.
        """
        used = (*self.study.evaluations, *self.study.submissions)
        for dataset, split, boxes in ((e.dataset, e.split, boxes) for e in used for boxes in e.boxes):
            file = box_file(self.datasets[dataset].boxes[boxes], split)
            if file is not None and file.is_remote and str(file.local_path(self._fetched())) == path:
                return file
        raise InputError(path, None, None, "no box source of the study comes from a URL that is kept there")

    def box_threads(self, wildcards: Wildcards) -> int:
        """CPU threads that making boxes takes."""
        source = self.datasets[wildcards.dataset].boxes[wildcards.boxes]
        return source.threads if isinstance(source, DetectorBoxes) else 1

    def box_counts(self) -> list[str]:
        """Records of what became of the person boxes, of all evaluations."""
        return [f"{self.study.results}/boxes/{'/'.join(place)}.counts.json" for place in self._box_places()]

    def box_metrics(self) -> list[str]:
        """AP of the person boxes of all evaluations; annotated boxes have none."""
        return [
            f"{self.study.results}/box_ap/{dataset}/{split}/{boxes}.json"
            for dataset, split, boxes in self._box_places()
            if self.datasets[dataset].boxes[boxes].kind != "ground_truth"
        ]

    def archived(self, wildcards: Wildcards) -> ArchivedSplit:
        """Where in downloaded archives the split is that the wildcards name.

        Raises:
            KeyError: it does not come from archives.
        """
        source = self.datasets[wildcards.dataset].source
        if not isinstance(source, ArchivesSource):
            raise KeyError(wildcards.dataset)
        return source.splits[wildcards.split]

    def archives(self, wildcards: Wildcards) -> list[str]:
        """What has to be there before a split can be arranged: proven archives, and pictures if they are unpacked."""
        split, downloads = self.archived(wildcards), f"{self.study.resources}/downloads"
        pictures = (
            f"{self.study.resources}/unpacked/{split.pictures}.manifest.json"
            if self._unpacks(wildcards.dataset)
            else f"{downloads}/{split.pictures}.zip.sha256.json"
        )
        return [f"{downloads}/{split.annotations}.zip.sha256.json", pictures]

    def archives_of_study(self) -> dict[str, bool]:
        """Archives that the study's splits come from, and whether each is unpacked."""
        study, used = self.study, {}
        # A released checkpoint's training data are named for the record, not fetched.
        trained = any(recipe.training.source == "trained" for recipe in self.recipes.values())
        for split in (*((study.train, study.validation) if trained else ()), *study.evaluations, *study.submissions):
            source = self.datasets[split.dataset].source
            if isinstance(source, ArchivesSource):
                used.setdefault(source.splits[split.split].annotations, False)
                used[source.splits[split.split].pictures] = source.pictures == "unpacked"
        return used

    def unpacked_option(self, wildcards: Wildcards) -> list[str]:
        """Option that names the folder of unpacked archives; none if pictures stay in theirs."""
        return [f"--unpacked={self.study.resources}/unpacked"] if self._unpacks(wildcards.dataset) else []

    def names_of_archived(self) -> str:
        """Regular expression of the data sets that come from archives; it matches nothing if none does."""
        return _alternatives(name for name, dataset in self.datasets.items() if _is_archived(dataset))

    def unsifted_annotations(self, wildcards: Wildcards) -> str:
        """Annotation file of a user's own split, out of which broken pictures are sifted."""
        source = self.datasets[wildcards.dataset].source
        if not isinstance(source, FolderSource):
            raise TypeError(f"{wildcards.dataset} is no folder")
        return f"{source.folders[wildcards.split]}/annotations.json"

    def names_of_sifted(self) -> str:
        """Regular expression of the data sets whose broken pictures are left out; it matches nothing if none is."""
        return _alternatives(name for name, dataset in self.datasets.items() if _is_sifted(dataset))

    def names_of_trained(self) -> str:
        """Regular expression of the variants that are trained; it matches nothing if none is."""
        return _alternatives(name for name, recipe in self.recipes.items() if recipe.training.source == "trained")

    def names_of_official(self) -> str:
        """Regular expression of the variants whose released checkpoint is evaluated; it matches nothing if none is."""
        return _alternatives(name for name, recipe in self.recipes.items() if recipe.training.source == "official")

    def released_weights(self, variant: str) -> str:
        """The released checkpoint of a variant, as safetensors."""
        return f"{self.study.resources}/weights/{self.recipes[variant].variant.released}.safetensors"

    def histories(self, variant: str, seed: int | str) -> list[str]:
        """Training history of a run; a released checkpoint has none."""
        if self.recipes[variant].training.source == "official":
            return []
        return [f"{self.study.results}/train/{variant}/seed{seed}/history.jsonl"]

    def submissions(self) -> list[str]:
        """Archives for the evaluation server, one for each run, split and box source."""
        return [
            f"{self.study.results}/submissions/{e.dataset}/{e.split}/{boxes}/{variant}/seed{seed}/"
            f"person_keypoints_{self._test_set(e)}_{variant}_results.zip"
            for e in self.study.submissions
            for boxes in e.boxes
            for variant, seed in self.runs()
        ]

    def submissions_of(self, variant: str, seed: int | str) -> list[str]:
        """Those of one run."""
        return [path for path in self.submissions() if f"/{variant}/seed{seed}/" in path]

    def backbone_weights(self, variant: str) -> list[str]:
        """Pretrained backbone that a variant starts from, if any."""
        path = self.recipes[variant].training.backbone_weights
        return [path] if path else []

    def initial_weights(self, variant: str) -> list[str]:
        """Whole model that a variant is fine-tuned from, if any."""
        path = self.recipes[variant].training.initial_weights
        return [path] if path else []

    def training_threads(self, variant: str) -> int:
        """CPU threads of all processes that train a variant."""
        training = self.recipes[variant].training
        return training.gpus * training.threads

    def picture_cache_gb(self, variant: str) -> str:
        """GB of disk for a training's decoded pictures, as text: Snakemake counts whole numbers only."""
        return str(self.recipes[variant].training.picture_cache_gb)

    def runs(self) -> Iterator[tuple[str, int]]:
        """(variant, seed) of every training; of a released checkpoint there is one."""
        for variant, seed in product(self.study.variants, range(self.study.seeds)):
            if seed == 0 or self.recipes[variant].training.source == "trained":
                yield variant, seed

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

    def precisions(self) -> list[str]:
        """Files of the comparison of precisions; none where the study asks for none."""
        return [f"{place}.json" for place in self._side_places("precision", self.study.precisions)]

    def resolution_figures(self) -> list[str]:
        """Figures of AP against input size."""
        if self.study.resolutions is None:
            return []
        places = self.study.resolutions.places()
        return [f"{self.study.results}/figures/resolutions_{'_'.join(place)}.png" for place in places]

    def side_tables(self) -> list[str]:
        """Tables of the side studies that the study asks for."""
        names = {
            "protocol_ablation": ["protocol_ablation"],
            "resolutions": ["resolutions"],
            "precisions": ["precision"],
            "attention": ATTENTION_TABLES,
        }
        return [f"{self.study.results}/{table}.html" for key in self.study.side_studies() for table in names[key]]

    def attention(self, kind: str) -> list[str]:
        """Files of one kind of measures of attention; none where the study asks for none.

        Args:
            kind: the folder, such as `attention_statistics`.
        """
        return [f"{place}.json" for place in self._side_places(kind, self.study.attention)]

    def explanations_of(self, variant: str, seed: int | str) -> list[str]:
        """Attention maps of one run on every evaluated split; none without an encoder."""
        if self.recipes[variant].variant.encoder is None:
            return []
        return [
            f"{self.study.results}/attention/{variant}/seed{seed}/{e.dataset}/{e.split}/maps.npz"
            for e in self.study.evaluations
        ]

    def part_labels(self, wildcards: Wildcards) -> list[str]:
        """Body part labels of the split that the wildcards name; none if it is not rendered."""
        if not isinstance(self.datasets[wildcards.dataset].source, SyntheticSource):
            return []
        return [f"{self.study.resources}/{wildcards.dataset}/{wildcards.split}/parts.npz"]

    def explored_runs(self) -> list[str]:
        """run.json of the first seed of every variant with an encoder."""
        return [
            f"{self.study.results}/train/{variant}/seed0/run.json"
            for variant in self.study.variants
            if self.recipes[variant].variant.encoder is not None
        ]

    def explorers(self) -> list[str]:
        """Explorer page of every evaluated split; none where no variant has an encoder."""
        if not self.explored_runs():
            return []
        places = dict.fromkeys((e.dataset, e.split) for e in self.study.evaluations)
        return [f"{self.study.results}/explorer/{dataset}_{split}.html" for dataset, split in places]

    def names_of_rendered(self) -> str:
        """Regular expression of the data sets that are rendered; it matches nothing if none is."""
        return _alternatives(
            name for name, dataset in self.datasets.items() if isinstance(dataset.source, SyntheticSource)
        )

    def keypoints(self) -> int:
        """Keypoints of the models: those of the data set that they are trained on."""
        return len(self.datasets[self.study.train.dataset].skeleton)

    def learnt_from(self) -> str:
        """What of the training data set's configuration decides the weights, as canonical JSON."""
        dataset = self.datasets[self.study.train.dataset]
        return json.dumps(dataset.model_dump(mode="json", include={"skeleton", "evaluation"}), sort_keys=True)

    def training_data(self) -> str:
        """What the study trains on, in words."""
        return f"{self.datasets[self.study.train.dataset].title}, split {self.study.train.split}"

    def figures(self) -> list[str]:
        """Files of the comparison's figures: one pair for each evaluated split, on its first box source."""
        places = [f"{e.dataset}_{e.split}_{e.boxes[0]}" for e in self.study.evaluations]
        names = ["training", *(f"{kind}_{place}" for place in places for kind in ("accuracy", "joints"))]
        return [f"{self.study.results}/figures/{name}.png" for name in names]

    def _box_places(self) -> list[tuple[str, str, str]]:
        """(data set, split, box source) of every evaluation."""
        return [(e.dataset, e.split, boxes) for e in self.study.evaluations for boxes in e.boxes]

    def _fetched(self) -> Path:
        return Path(self.study.resources) / "fetched"

    def _side_places(self, kind: str, side: SideStudy | None) -> list[str]:
        if side is None:
            return []
        return [
            f"{self.study.results}/{kind}/{variant}/seed{seed}/{'/'.join(place)}"
            for (variant, seed), place in product(self.runs(), side.places())
            if variant in side.variants
        ]

    def faithfulness_figures(self) -> list[str]:
        """Figures of deletion and insertion."""
        places = self.study.attention.places() if self.study.attention else ()
        return [f"{self.study.results}/figures/faithfulness_{'_'.join(place)}.png" for place in places]

    def attention_figures(self) -> list[str]:
        """Figures of the attention between joints, one for each variant and place."""
        chosen = self.study.attention
        places = product(chosen.places(), chosen.variants) if chosen else ()
        return [
            f"{self.study.results}/figures/joint_attention_{'_'.join(place)}_{variant}.png" for place, variant in places
        ]

    def _attention_measures(self) -> Mapping[str, Settings]:
        """What decides the measures of attention; which variants are looked at does not."""
        chosen = self.study.attention
        if chosen is None:
            return {}
        return {"study": AttentionMeasures(**chosen.model_dump(include=set(AttentionMeasures.model_fields)))}

    def _input_sizes(self) -> Mapping[str, Settings]:
        """What decides the figures at other sizes; which variants are looked at does not."""
        chosen = self.study.resolutions
        return {} if chosen is None else {"study": InputSizes(sizes=chosen.sizes, position=chosen.position)}

    def _precisions(self) -> Mapping[str, Settings]:
        """What decides the figures in cheaper arithmetic; which variants are looked at does not."""
        chosen = self.study.precisions
        return {} if chosen is None else {"study": Precisions(precisions=chosen.precisions)}

    def _check_splits(self, source: str) -> None:
        study = self.study
        for split in (study.train, study.validation, *study.evaluations, *study.submissions):
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

    def _check_side_studies(self, source: str) -> None:
        for key, side in self.study.side_studies().items():
            for dataset, _, _ in side.places():
                if self.datasets[dataset].evaluation != "oks":
                    raise InputError(source, key, "evaluations", f"{dataset} is not evaluated by OKS")
        if self.study.attention is not None:
            self._check_attention(self.study.attention, source)

    def _check_attention(self, study: AttentionStudy, source: str) -> None:
        for dataset, _, boxes in study.places():
            if self.datasets[dataset].boxes[boxes].kind != "ground_truth":
                problem = f"explanations are measured on annotated boxes, and {boxes!r} of {dataset} are others"
                raise InputError(source, "attention", "evaluations", problem)
        for name in study.variants:
            variant = self.recipes[name].variant
            if variant.encoder is None:
                raise InputError(source, "attention", "variants", f"{name} has no encoder, hence no attention")
            if study.patch % variant.backbone.stride:
                problem = f"{study.patch} is no multiple of {variant.backbone.stride}, the stride of {name}"
                raise InputError(source, "attention", "patch", problem)

    def _check_released(self, source: str) -> None:
        for name, recipe in self.recipes.items():
            if recipe.training.source == "official" and recipe.variant.released is None:
                problem = "is official, but the variant's file names no released checkpoint"
                raise InputError(source, name, "source", problem)
        for split in self.study.submissions:
            if self._test_set(split) is None:
                raise InputError(source, split.dataset, "test_set", f"split {split.split!r} is no server's test set")

    def _test_set(self, split: Split) -> str | None:
        dataset = self.datasets[split.dataset].source
        return dataset.splits[split.split].test_set if isinstance(dataset, ArchivesSource) else None

    def _unpacks(self, dataset: str) -> bool:
        source = self.datasets[dataset].source
        return isinstance(source, ArchivesSource) and source.pictures == "unpacked"


def use_this_interpreter() -> None:
    """Let rules' commands run in the interpreter that runs the workflow, even if its environment is not activated."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _splits(dataset: Dataset) -> list[str]:
    source = dataset.source
    if isinstance(source, PhotographsSource):
        return ["val"]
    if isinstance(source, FolderSource):
        return list(source.folders)
    return list(source.splits if isinstance(source, ArchivesSource) else source.pictures)


def _is_archived(dataset: Dataset) -> bool:
    return isinstance(dataset.source, ArchivesSource)


def _is_sifted(dataset: Dataset) -> bool:
    return isinstance(dataset.source, FolderSource) and dataset.source.broken_pictures == "skip"


def _alternatives(names: Iterable[str]) -> str:
    """Regular expression that matches these names; nothing if there is none."""
    return "|".join(names) or "(?!)"
