"""Made-up results for the tests of tables and figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers.small_variants import small_variant
from transpose.config.base import Settings
from transpose.config.cost_report import CostReport, Operations, Parameters
from transpose.config.dataset import BoxKind, Dataset
from transpose.config.load import read_record
from transpose.config.recipe import Recipe
from transpose.config.study import Analysis, EvalProtocol, EvalSetting, Study
from transpose.config.training import Training
from transpose.data.box_counts import AnnotatedPersons, BoxCounts
from transpose.evaluation.box_ap import BoxReport
from transpose.evaluation.intervals import RESAMPLES, estimates_in
from transpose.evaluation.report import EvaluationReport
from transpose.files import write_json, write_npz
from transpose.reporting.published import Published, load_published
from transpose.reporting.records import AblationRecord, EvaluationKey, ResultRow
from transpose.reporting.study_files import StudyFiles
from transpose.reporting.tables import BoxRow
from transpose.study.layout import RecordKind, ResultsLayout, RunId

KEYPOINTS = ("nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip", "left_ankle", "right_ankle")


def published() -> Published:
    return load_published(Path(__file__).parents[2] / "config" / "tables" / "published.yaml")


def cost(params: float = 5.2e6, macs: float = 5.4e9) -> CostReport:
    return CostReport(
        input_size=(256, 192),
        parameters=Parameters(total=int(params), trainable=int(params) - 196_608, fixed_position_embedding=196_608),
        operations=Operations(macs=int(macs), macs_as_published=int(1.4 * macs)),
        dtype="float32",
        threads=1,
        memory_kind="process_resident",
        timings=(),
        machine={},
    )


def result_row(
    variant: str = "tp_r_a3",
    aps: tuple[float, ...] = (0.717,),
    *,
    title: str | None = None,
    dataset: str = "coco",
    dataset_title: str = "COCO",
    split: str = "val",
    benchmark: str | None = "coco_val2017",
    boxes: str = "detector",
    box_kind: BoxKind = "detections",
    box_count: int | None = 104_125,
    images: int = 5000,
    persons: int = 6352,
    seeds_planned: int | None = None,
    protocol: EvalProtocol | None = None,
    input_size: tuple[int, int] = (256, 192),
    reproduces: str | None = "same",
    notes: tuple[str, ...] = (),
    cost_report: CostReport | None = None,
) -> ResultRow:
    key = EvaluationKey(
        variant=variant,
        dataset=dataset,
        split=split,
        boxes=boxes,
        boxes_kind=box_kind,
        protocol=protocol or EvalProtocol(),
    )
    changes = {**key.model_dump(), "dataset_title": dataset_title, "images": images, "persons": persons}
    evaluations = tuple(
        EvaluationReport.model_validate(
            report(variant, title or variant, seed, ap)
            | {"initialisation": "pretrained backbone", "box_count": box_count or 0}
            | changes
        )
        for seed, ap in enumerate(aps)
    )
    return ResultRow(
        key=key,
        title=title or variant,
        dataset_title=dataset_title,
        input_size=input_size,
        benchmark=benchmark,
        published=variant if reproduces == "same" else reproduces,
        seeds_planned=seeds_planned or max(1, len(aps)),
        evaluations=evaluations,
        interval=(sum(aps) / len(aps) - 0.03, sum(aps) / len(aps) + 0.03) if aps else None,
        notes=notes if evaluations else (),
        cost=cost_report or cost(),
    )


def demo_rows() -> list[ResultRow]:
    """Six variants on a synthetic and a small real set, two box sources: what the embedded study makes."""
    variants = {
        "r_sine": ("R small, sine", (0.561, 0.552, 0.568), 0.84e6, 0.28e9),
        "r_learnable": ("R small, learnable", (0.548, 0.541, 0.557), 0.84e6, 0.28e9),
        "r_no_position": ("R small, no position", (0.502, 0.511, 0.496), 0.82e6, 0.28e9),
        "r_no_encoder": ("R small, no encoder", (0.431, 0.442, 0.425), 0.76e6, 0.258e9),
        "h_sine": ("H small, sine", (0.583, 0.575), 0.35e6, 0.147e9),
        "h_wide": ("H small, wide", (), 0.62e6, 0.31e9),
    }
    rows = []
    sets = {"synthetic": ("synthetic people", 0.0, 200, 531), "photographs": ("real photographs", -0.25, 30, 71)}
    for dataset, (dataset_title, shift, images, persons) in sets.items():
        boxes: tuple[tuple[str, BoxKind, float], ...] = (
            ("ground_truth", "ground_truth", 0.0),
            ("simulated", "simulated", -0.03),
        )
        for name, kind, loss in boxes:
            for variant, (title, aps, params, macs) in variants.items():
                rows.append(
                    result_row(
                        variant,
                        tuple(ap + shift + loss for ap in aps),
                        title=title,
                        dataset=dataset,
                        dataset_title=dataset_title,
                        benchmark=None,
                        boxes=name,
                        box_kind=kind,
                        box_count=None,
                        images=images,
                        persons=persons,
                        seeds_planned=3,
                        input_size=(128, 96),
                        reproduces=None,
                        cost_report=cost(params, macs),
                    )
                )
    return rows


def ablation(difference: float | None, interval: tuple[float, float] | None, **changes: Any) -> AblationRecord:
    return AblationRecord(
        question=changes.get("question", "Does a position embedding help?"),
        baseline_title="no position",
        variant_title=changes.get("variant", "sine"),
        dataset_title="synthetic people",
        split="val",
        boxes="ground_truth",
        box_kind="ground_truth",
        images=200,
        persons=531,
        seeds=0 if difference is None else changes.get("seeds", 2),
        difference=difference,
        interval=interval,
        seeds_needed=changes.get("seeds_needed"),
        images_needed=changes.get("images_needed"),
        half_widths=changes.get("half_widths"),
        sign_flip_p=changes.get("sign_flip_p"),
    )


def box_row(ap: float | None = 0.5625, *, title: str = "COCO", kind: BoxKind = "detections") -> BoxRow:
    """A detection file's boxes with an AP, or the annotated ones without."""
    counts = BoxCounts(
        dataset_title=title,
        split="val",
        boxes="detector" if ap is not None else "annotated",
        kind=kind if ap is not None else "ground_truth",
        kept=104_125 if ap is not None else 6352,
        images=5000,
        images_without_boxes=12,
        other_categories=7 if ap is not None else 0,
        unknown_images=1000 if ap is not None else 0,
        annotated=None
        if ap is not None
        else AnnotatedPersons(persons=11_004, crowd=227, no_keypoints=4424, no_area=0, outside=1),
    )
    if ap is None:
        return counts, None
    report = BoxReport(
        dataset="coco",
        split="val",
        boxes="detector",
        boxes_kind=kind,
        box_count=104_125,
        metrics={"AP": ap, "AP50": 0.8},
        images=5000,
        persons=10_777,
        boxes_sha256="a" * 64,
        annotations_sha256="b" * 64,
    )
    return counts, report


def files_of(study: Study) -> StudyFiles:
    """A study's files with the data sets and recipes of its results folder; other variants get small recipes."""
    layout = ResultsLayout(Path(study.results))
    recipes = {name: Recipe(name=name, variant=small_variant("resnet"), training=Training()) for name in study.variants}
    records = layout.record(RecordKind.RECIPE).parent.glob("*.json")
    recipes |= {path.stem: read_record(Recipe, path) for path in records}
    datasets = {
        path.stem: read_record(Dataset, path) for path in layout.record(RecordKind.DATASET).parent.glob("*.json")
    }
    return StudyFiles(layout, study, recipes, datasets)


def study_with(
    results: Path,
    analysis: str,
    variants: Sequence[str],
    boxes: str = "ground_truth",
    *,
    seeds: int = 2,
    **options: Any,
) -> Study:
    """A study with one analysis of these variants; `options` are settings of the analysis."""
    evaluations = [{"dataset": "synthetic", "split": "val", "boxes": [boxes]}]
    return Study.model_validate(
        {
            "name": "demo",
            "results": str(results),
            "variants": variants,
            "seeds": seeds,
            "train": {"dataset": "synthetic", "split": "train"},
            "validation": {"dataset": "synthetic", "split": "val"},
            "evaluations": evaluations,
            analysis: {"variants": variants, "evaluations": evaluations, **options},
        }
    )


def report_path(results: Path, analysis: str, variant: str, seed: int, boxes: str = "ground_truth") -> Path:
    """The file of a report of an analysis."""
    setting = EvalSetting("synthetic", "val", boxes)
    return ResultsLayout(results).analysis(Analysis(analysis), RunId(variant, seed), setting)


ORIGIN = {"code": {"git": None, "dirty": None, "fingerprint": "f1f2"}, "environment": {"python": "3.11"}}
RUNTIME = {"name": "torch", "version": "2.13.0", "dtype": "fp32", "attention": "fused"}


def write_with_resamples(path: Path, content: dict[str, Any], model: type[Settings]) -> None:
    """Write a report and its .npz file, with resamples that are spread evenly around each estimate."""
    write_json(path, content)
    estimates = list(estimates_in(model.model_validate(content)))
    resamples = np.full((len(estimates), 20), np.nan)
    for row, one in zip(resamples, estimates, strict=True):
        if one.value is not None and one.low is not None and one.high is not None:
            row[:] = np.linspace(one.value - (one.high - one.low) / 2, one.value + (one.high - one.low) / 2, 20)
    write_npz(path.with_suffix(".npz"), **{RESAMPLES: resamples})


def subject(variant: str, title: str, seed: int, boxes: str = "ground_truth", box_count: int = 9) -> dict[str, Any]:
    """The fields that every report about a trained model has (`transpose.evaluation.subject.Subject`)."""
    return {
        "variant": variant,
        "title": title,
        "seed": seed,
        "initialisation": "from scratch",
        "dataset": "synthetic",
        "dataset_title": "synthetic people",
        "split": "val",
        "boxes": boxes,
        "boxes_kind": boxes,
        "box_count": box_count,
        "weights_sha256": "a" * 64,
        "annotations_sha256": "c" * 64,
        "boxes_sha256": "e" * 64,
        "images_sha256": "f" * 64,
        "origin": ORIGIN,
    }


def report(variant: str, title: str, seed: int, ap: float, boxes: str = "ground_truth") -> dict[str, Any]:
    """The content of a metrics file."""
    return subject(variant, title, seed, boxes) | {
        "metric": "AP",
        "metrics": {
            "AP": ap,
            "AP50": min(ap + 0.15, 1),
            "AP75": ap + 0.05,
            "APM": ap - 0.03,
            "APL": -1.0,
            "AR": ap + 0.05,
        },
        "images": 4,
        "persons": 8,
        "predictions": 9,
        "keypoints": [keypoint(name, ap - 0.02 * index) for index, name in enumerate(KEYPOINTS)],
        "interval": [ap - 0.02, ap + 0.02],
        "bootstrap": {"samples": 20, "seed": 0, "level": 0.95},
        "reference_check": {"evaluators": ["pycocotools", "xtcocotools"], "max_abs_difference": 0.0},
        "predictions_sha256": "b" * 64,
        "predicted": ORIGIN,
        "protocol": EvalProtocol().model_dump(),
        "runtime": RUNTIME,
    }


def keypoint(name: str, ap: float) -> dict[str, Any]:
    """The metrics of one keypoint."""
    errors = {"median_error_occluded": None, "median_error_visible": None}
    return {"keypoint": name, "ap": ap, "occluded": 1, "visible": 2} | errors
