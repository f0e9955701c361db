"""Hours, memory and disk of a study."""

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.record_digests import record_digests
from transpose.config.base import read_yaml
from transpose.config.download import Archive
from transpose.config.forecast import ForecastSettings
from transpose.config.training import Training
from transpose.errors import InputError
from transpose.forecast.layers import Work
from transpose.forecast.plan import StudyForecast, forecast_study, hours, training_memory
from transpose.study.plan import Plan

CONFIG = Path(__file__).parents[2] / "config"
ARCHIVES = {"images": Archive(version="1", bytes=1000, sha256="0" * 64, urls=("https://example.org/images.zip",))}
PERSONS = {"synthetic": {"train": 1000, "val": 100}, "photographs": {"val": 10}}
ZERO_OVERHEAD = ForecastSettings(overhead_bytes=0)


def forecast_of(
    persons: dict[str, Any] = PERSONS, forecast: dict[str, Any] | None = None, **study: Any
) -> StudyForecast:
    """The forecast of the demo with other values."""
    values = read_yaml(CONFIG / "config.yaml") | {"overrides": {}} | study
    plan = Plan.of_config(values | {"forecast": {"persons": persons} | (forecast or {})}, CONFIG)
    return forecast_study(plan, ARCHIVES)


def test_hours_are_operations_over_speed() -> None:
    assert hours(3.6e15, tflops=2) == pytest.approx(0.5)
    assert hours(None, tflops=2) is None


def test_training_hours_by_hand() -> None:
    forecast = forecast_of(training={"epochs": 10}, forecast={"training_tflops": 0.5})
    for variant in forecast.variants:
        assert variant.hours.train == pytest.approx(3 * 2 * variant.work.macs * 1000 * 10 / 0.5e12 / 3600)


def test_hours_grow_with_epochs_persons_and_seeds() -> None:
    once = forecast_of(training={"epochs": 4}).variants[0].hours
    many = {name: {split: 3 * count for split, count in splits.items()} for name, splits in PERSONS.items()}
    for other, factor in (
        (forecast_of(training={"epochs": 8}), 2),
        (forecast_of(many, training={"epochs": 4}), 3),
        (forecast_of(training={"epochs": 4}, seeds=5), 5),
    ):
        assert other.variants[0].hours.train == pytest.approx(factor * (once.train or 0))
    assert forecast_of(training={"epochs": 4}, seeds=5).variants[0].hours.predict == pytest.approx(
        5 * (once.predict or 0)
    )


def test_the_mirrored_pass_doubles_validation_and_prediction() -> None:
    plain, mirrored = (forecast_of(protocol={"flip_test": flip}).variants[0].hours for flip in (False, True))
    assert mirrored.validate == pytest.approx(2 * (plain.validate or 0))
    assert mirrored.predict == pytest.approx(2 * (plain.predict or 0))
    assert mirrored.train == plain.train


@pytest.mark.parametrize(("interval", "validations"), [(1, 5), (2, 3), (9, 1)])
def test_the_last_epoch_is_always_validated(interval: int, validations: int) -> None:
    variant = forecast_of(training={"epochs": 5, "validation_interval": interval}).variants[0]
    assert variant.hours.validate == pytest.approx(validations * 2 * 2 * variant.work.macs * 100 / 1.6e12 / 3600)


def test_all_boxes_are_predicted() -> None:
    variant = forecast_of().variants[0]
    assert variant.hours.predict == pytest.approx(2 * 2 * variant.work.macs * (2 * 100 + 2 * 10) / 1.6e12 / 3600)


def test_memory_by_hand() -> None:
    work = Work(parameters=10, activations=100, masks=7, statistics=3, indices=2, attention=50)
    kept = 400 + 7 + 12 + 16
    training = Training(batch_size=4)
    assert training_memory(work, training, ZERO_OVERHEAD, fused=True) == 160 + 4 * kept
    # softmax's result and the dropped weights in fp32, the mask a byte
    assert training_memory(work, training, ZERO_OVERHEAD, fused=False) == 160 + 4 * (kept + 50 * 9)
    without_dropout = training.model_copy(update={"attention_dropout": 0.0})
    assert training_memory(work, without_dropout, ZERO_OVERHEAD, fused=False) == 160 + 4 * (kept + 50 * 4)


def test_half_precision_halves_activations_alone() -> None:
    work = Work(parameters=10, activations=100, masks=7, statistics=3, indices=2)
    training = Training(batch_size=1, dtype="bf16")
    assert training_memory(work, training, ZERO_OVERHEAD, fused=True) == 160 + 200 + 7 + 12 + 16


COCO_VAL = {"dataset": "coco", "split": "val2017"}
ON_COCO = {
    "train": COCO_VAL,
    "validation": COCO_VAL,
    "evaluations": [COCO_VAL | {"boxes": ["ground_truth"]}],
    "protocol_ablation": None,
    "attention_analysis": None,
    "resolutions": None,
    "dtypes": None,
}


def test_archives_of_the_study_are_kept_and_those_of_images_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    row = next(iter(ARCHIVES.values()))
    table = {"annotations_trainval2017": row, "val2017": row, "train2017": row}
    monkeypatch.setitem(globals(), "ARCHIVES", table)
    disk = {item.what: item.bytes for item in forecast_of(forecast={"unpacked_ratio": 1.5}, **ON_COCO).disk}
    downloads = {what: size for what, size in disk.items() if what.startswith(("download ", "unpack "))}
    assert downloads == {"download annotations_trainval2017": 1000, "download val2017": 1000, "unpack val2017": 1500}


def test_an_archive_without_a_row_is_refused() -> None:
    with pytest.raises(InputError, match="no archive 'annotations_trainval2017'; known are images"):
        forecast_of(**ON_COCO)


def test_a_released_checkpoint_costs_no_training() -> None:
    forecast = forecast_of(
        variants=["tp_r_a3"],
        ablations=[],
        protocol_ablation=None,
        resolutions=None,
        dtypes=None,
        attention_analysis=None,
        training={"source": "official"},
    )
    assert forecast.variants[0].hours.train == forecast.variants[0].hours.validate == 0
    assert (forecast.variants[0].hours.predict or 0) > 0


def test_assumptions_are_in_no_record() -> None:
    values = read_yaml(CONFIG / "config.yaml")
    plain, other = (Plan.of_config(values | extra, CONFIG) for extra in ({}, {"forecast": {"training_tflops": 100}}))
    assert record_digests(plain) == record_digests(other)
