"""Time, memory and disk of a study's jobs."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.record_digests import record_digests
from transpose.config.base import read_yaml
from transpose.config.download import Archive
from transpose.config.forecast import ForecastSettings
from transpose.config.recipe import Recipe
from transpose.errors import InputError
from transpose.forecast.cache import MeasurementCache
from transpose.forecast.jobs import Jobs
from transpose.forecast.network import Networks
from transpose.forecast.plan import StudyForecast, forecast_jobs, training_memory
from transpose.forecast.work import DeviceKind, Speed, Work
from transpose.study.job_threads import JobThreads
from transpose.study.layout import RunId
from transpose.study.plan import Plan

CONFIG = Path(__file__).parents[2] / "config"
ARCHIVES = {"images": Archive(version="1", bytes=1000, sha256="0" * 64, urls=("https://example.org/images.zip",))}
PERSONS = {"synthetic": {"train": 1000, "val": 100}, "photographs": {"val": 10}}
WORK = Work(parameters=10, macs=5_000_000, kept_bytes=700)
CPU = Speed(training=1e8, inference=2e8)


class FixedNetworks(Networks):
    """Networks that are all alike."""

    def work(self, recipe: Recipe) -> Work:
        return WORK

    def cpu_speeds(self, recipes: Iterable[Recipe], works: Mapping[str, Work]) -> dict[str, Speed]:
        return {recipe.name: CPU for recipe in recipes}


def networks(plan: Plan, device: DeviceKind) -> Networks:
    threads = JobThreads(plan, 8, are_shared=True, on_gpu=device == "GPU")
    return FixedNetworks(MeasurementCache(Path("unused"), "code", "1.0"), 17, device, threads)


def plan_of(persons: dict[str, Any] = PERSONS, forecast: dict[str, Any] | None = None, **study: Any) -> Plan:
    """The plan of the demo with other values; a job starts at once."""
    values = read_yaml(CONFIG / "config.yaml") | {"overrides": {}} | study
    return Plan.of_config(values | {"forecast": {"persons": persons, "start_seconds": 0} | (forecast or {})}, CONFIG)


def forecast_of(*args: Any, device: DeviceKind = "GPU", jobs: Jobs | None = None, **study: Any) -> StudyForecast:
    """The forecast of the demo with other values."""
    plan = plan_of(*args, **study)
    return forecast_jobs(plan, jobs or Jobs.of_study(plan), networks(plan, device), ARCHIVES)


def test_training_time_on_a_gpu_by_hand() -> None:
    forecast = forecast_of(training={"epochs": 10}, forecast={"training_tflops": 0.5})
    for variant in forecast.variants:
        assert variant.seconds.train == pytest.approx(3 * 2 * WORK.macs * 1000 * 10 / 0.5e12)


def test_time_on_a_cpu_is_by_the_measured_speed() -> None:
    variant = forecast_of(device="CPU", training={"epochs": 10, "validation_interval": 10}).variants[0]
    assert variant.seconds.train == pytest.approx(2 * WORK.macs * 1000 * 10 / 1e8)
    assert variant.seconds.validate == pytest.approx(2 * 2 * WORK.macs * 100 / 2e8)


def test_time_grows_with_epochs_persons_and_seeds() -> None:
    once = forecast_of(training={"epochs": 4}).variants[0].seconds
    many = {name: {split: 3 * count for split, count in splits.items()} for name, splits in PERSONS.items()}
    for other, factor in (
        (forecast_of(training={"epochs": 8}), 2),
        (forecast_of(many, training={"epochs": 4}), 3),
        (forecast_of(training={"epochs": 4}, seeds=5), 5),
    ):
        assert other.variants[0].seconds.train == pytest.approx(factor * (once.train or 0))
    assert forecast_of(training={"epochs": 4}, seeds=5).variants[0].seconds.predict == pytest.approx(
        5 * (once.predict or 0)
    )


def test_the_mirrored_pass_doubles_validation_and_prediction() -> None:
    plain, mirrored = (forecast_of(protocol={"flip_test": flip}).variants[0].seconds for flip in (False, True))
    assert mirrored.validate == pytest.approx(2 * (plain.validate or 0))
    assert mirrored.predict == pytest.approx(2 * (plain.predict or 0))
    assert mirrored.train == plain.train


@pytest.mark.parametrize(("interval", "validations"), [(1, 5), (2, 3), (9, 1)])
def test_the_last_epoch_is_always_validated(interval: int, validations: int) -> None:
    variant = forecast_of(training={"epochs": 5, "validation_interval": interval}).variants[0]
    assert variant.seconds.validate == pytest.approx(validations * 2 * 2 * WORK.macs * 100 / 1.6e12)


def test_all_boxes_are_predicted() -> None:
    variant = forecast_of().variants[0]
    assert variant.seconds.predict == pytest.approx(2 * 2 * WORK.macs * (2 * 100 + 2 * 10) / 1.6e12)


def test_every_job_takes_its_start() -> None:
    plain, slow = (forecast_of(forecast={"start_seconds": start}).variants[0].seconds for start in (0, 2.5))
    assert (slow.train or 0) - (plain.train or 0) == pytest.approx(2.5)
    assert (slow.predict or 0) - (plain.predict or 0) == pytest.approx(4 * 2.5)


def test_memory_by_hand() -> None:
    settings = ForecastSettings(overhead_bytes=50)
    assert training_memory(WORK, settings, "GPU") == 160 + 700 + 50
    assert training_memory(WORK, settings, "CPU") == 160 + 700


def test_only_the_given_jobs_count() -> None:
    plan = plan_of(seeds=3)
    evaluated = plan.study.settings()[0]
    jobs = Jobs(frozenset([RunId("h_sine", 2)]), frozenset([(RunId("r_sine", 0), evaluated)]), frozenset(), frozenset())
    forecast = forecast_of(seeds=3, jobs=jobs)
    predicted, trained = forecast.variants
    assert (predicted.name, predicted.trainings, predicted.predictions) == ("r_sine", 0, 1)
    assert (predicted.seconds.train, predicted.memory_bytes) == (0, None)
    assert (trained.name, trained.trainings, trained.predictions, trained.seconds.predict) == ("h_sine", 1, 0, 0)
    disk = {item.what: item.bytes for item in forecast.disk}
    assert disk["weights"] == 12 * WORK.parameters
    assert disk["predictions, at most"] == 1_085 * 100


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
    assert forecast.variants[0].seconds.train == forecast.variants[0].seconds.validate == 0
    assert (forecast.variants[0].seconds.predict or 0) > 0


def test_assumptions_are_in_no_record() -> None:
    values = read_yaml(CONFIG / "config.yaml")
    plain, other = (Plan.of_config(values | extra, CONFIG) for extra in ({}, {"forecast": {"training_tflops": 100}}))
    assert record_digests(plain) == record_digests(other)
