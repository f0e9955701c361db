"""Measurements of networks are kept, and made again when what they depend on changes."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.small_variants import small_variant
from transpose.config.base import read_yaml
from transpose.config.recipe import Recipe
from transpose.config.training import Training
from transpose.forecast import measure, network
from transpose.forecast.cache import MeasurementCache
from transpose.forecast.network import MEASURED_OPERATIONS, Networks, device_kind
from transpose.forecast.work import DeviceKind, Speed, Work
from transpose.provenance import PackageCode
from transpose.study.job_threads import JobThreads
from transpose.study.plan import Plan

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RECIPE = Recipe(name="x", variant=small_variant("resnet"), training=Training(batch_size=2))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of recipes whose networks are measured, as it happens; each has one parameter more than the last."""
    names: list[str] = []

    def count(recipe: Recipe, keypoints: int, device: DeviceKind) -> Work:
        names.append(recipe.name)
        return Work(parameters=len(names), macs=1, kept_bytes=1)

    monkeypatch.setattr(measure, "count_work", count)
    return names


def networks(
    folder: Path,
    code: str = "code",
    torch: str = "2.0",
    device: DeviceKind = "GPU",
    recipes: Sequence[Recipe] = (RECIPE,),
    cores: int = 1,
) -> Networks:
    plan = Plan.of_config(read_yaml(ROOT / "config" / "config.yaml"), ROOT / "config")
    named = {recipe.name: recipe for recipe in recipes}
    plan = replace(plan, study=plan.study.model_copy(update={"variants": tuple(named)}), recipes=named)
    threads = JobThreads(plan, cores, are_shared=True, on_gpu=device == "GPU")
    return Networks(MeasurementCache(folder, code, torch), 17, device, threads)


def changed(**changes: object) -> Recipe:
    return RECIPE.model_copy(update=changes)


def test_a_network_is_measured_once(tmp_path: Path, counted: list[str]) -> None:
    first = networks(tmp_path).work(RECIPE)
    assert networks(tmp_path).work(RECIPE) == first
    # none of these changes the network
    title = RECIPE.variant.model_copy(update={"title": "another"})
    assert networks(tmp_path).work(changed(name="y", variant=title)) == first
    assert networks(tmp_path).work(changed(training=RECIPE.training.model_copy(update={"epochs": 3}))) == first
    assert counted == ["x"]


def test_what_decides_the_network_measures_it_again(tmp_path: Path, counted: list[str]) -> None:
    networks(tmp_path).work(RECIPE)
    for other in (
        changed(variant=small_variant("resnet", {"dim": 16})),
        changed(variant=small_variant("hrnet")),
        changed(training=RECIPE.training.model_copy(update={"batch_size": 3})),
    ):
        networks(tmp_path).work(other)
    for same in (
        networks(tmp_path, code="new"),
        networks(tmp_path, torch="2.1"),
        networks(tmp_path, device="CPU"),
        replace(networks(tmp_path), keypoints=16),
    ):
        same.work(RECIPE)
    assert len(counted) == 8


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[1]", b'{"parameters": 1}', b'{"parameters": "many"}'])
def test_a_damaged_file_is_made_again(tmp_path: Path, counted: list[str], content: bytes) -> None:
    networks(tmp_path).work(RECIPE)
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    assert networks(tmp_path).work(RECIPE).parameters == 2
    assert networks(tmp_path).work(RECIPE).parameters == 2
    assert counted == ["x", "x"]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, counted: list[str]) -> None:
    (tmp_path / "file").write_text("")
    assert networks(tmp_path / "file" / "forecast").work(RECIPE).parameters == 1


def test_small_networks_are_timed_and_large_ones_have_the_speed_of_the_largest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: dict[str, int] = {}

    def time_network(
        recipe: Recipe, keypoints: int, work: Work, batch_size: int, training_threads: int, threads: int
    ) -> Speed:
        batches[recipe.name] = batch_size
        return Speed(training=work.macs, inference=1)

    monkeypatch.setattr(measure, "time_network", time_network)
    macs = {"tiny": 1, "middle": int(MEASURED_OPERATIONS // 18), "huge": int(MEASURED_OPERATIONS)}
    works = {name: Work(parameters=1, macs=number, kept_bytes=1) for name, number in macs.items()}
    recipes = [
        changed(name=name, variant=small_variant("resnet", {"dim": 4 + 4 * place})) for place, name in enumerate(macs)
    ]
    recipes = [recipe.model_copy(update={"training": Training(batch_size=4)}) for recipe in recipes]
    speeds = networks(tmp_path, device="CPU", recipes=recipes).cpu_speeds(recipes, works)
    assert {name: speed.training for name, speed in speeds.items()} == {
        "tiny": 1,
        "middle": macs["middle"],
        "huge": macs["middle"],
    }
    assert batches == {"tiny": 4, "middle": 3}
    largest = networks(tmp_path, device="CPU", recipes=recipes).cpu_speeds(recipes[2:], works)
    assert largest["huge"].training == macs["huge"]
    assert batches["huge"] == 1


def test_speed_is_measured_with_the_threads_of_the_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[tuple[int, int]] = []

    def time_network(
        recipe: Recipe, keypoints: int, work: Work, batch_size: int, training_threads: int, threads: int
    ) -> Speed:
        measured.append((training_threads, threads))
        return Speed(training=1, inference=1)

    monkeypatch.setattr(measure, "time_network", time_network)
    works = {"x": Work(parameters=1, macs=1, kept_bytes=1)}
    fixed = changed(training=RECIPE.training.model_copy(update={"threads": 3}))
    for cores, recipe in ((8, RECIPE), (8, RECIPE), (4, RECIPE), (4, fixed)):
        networks(tmp_path, device="CPU", recipes=(recipe,), cores=cores).cpu_speeds([recipe], works)
    assert measured == [(8, 1), (4, 1), (3, 1)]


@pytest.mark.parametrize(
    ("device", "has_gpu", "kind"),
    [("auto", True, "GPU"), ("auto", False, "CPU"), ("cpu", True, "CPU"), ("cuda", False, "GPU"), ("mps", True, "GPU")],
)
def test_auto_is_a_gpu_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, device: str, has_gpu: bool, kind: DeviceKind
) -> None:
    monkeypatch.setattr(network, "has_gpu", lambda: has_gpu)
    assert device_kind(device) == kind


def test_the_caches_code_is_that_of_the_models(tmp_path: Path) -> None:
    closure = PackageCode().closure(network.MODULE)
    assert {"transpose.models.variants", "transpose.models.encoder", "transpose.cost"} <= closure


FORECAST = """
import sys
from pathlib import Path
from transpose.config.base import read_yaml
from transpose.forecast.jobs import Jobs
from transpose.forecast.cache import MeasurementCache
from transpose.forecast.network import Networks
from transpose.reporting.plan_text import render_plan
from transpose.study.job_threads import JobThreads
from transpose.study.plan import Plan

values = read_yaml(Path("config/config.yaml"))
plan = Plan.of_config(values | {"variants": ["r_sine"], "ablations": [], "overrides": {}} | dict.fromkeys(
    ["protocol_ablation", "resolutions", "dtypes", "attention_analysis"]), Path("config"))
threads = JobThreads(plan, 2, are_shared=True, on_gpu=False)
networks = Networks(MeasurementCache(Path(sys.argv[1]), "code", "2.0"), 17, "CPU", threads)
print(render_plan(plan, Jobs.of_study(plan), networks, Path("config/tables/downloads.yaml"), "a study"))
print("torch" in sys.modules)
"""


def test_torch_is_imported_only_for_a_new_network(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORECAST, str(tmp_path)]
    first, second = (
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        for _ in range(2)
    )
    assert first[:-1] == second[:-1]
    assert (first[-1], second[-1]) == ("True", "False")
