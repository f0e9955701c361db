"""The whole workflow at toy size: it runs, runs nothing twice, and reruns what a change asks for."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.helpers.browser import CHROMIUM, browser
from tests.helpers.page_links import broken_links
from tests.workflow.snakemake_runs import output_of, plan_after_edit, snakemake
from tools.fault_injection.checkout import copy_clone
from transpose.study.layout import REPORT_PAGES

STUDY = {
    "name": "toy",
    "variants": ["r_sine", "h_sine", "r_no_encoder"],
    "train": {"dataset": "toy", "split": "train"},
    "validation": {"dataset": "toy", "split": "val"},
    "evaluations": [{"dataset": "toy", "split": "val", "boxes": ["ground_truth", "simulated"]}],
    "ablations": [{"question": "Does the encoder help?", "baseline": "r_no_encoder", "variants": ["r_sine"]}],
    "protocol_ablation": {
        "variants": ["r_sine"],
        "evaluations": [{"dataset": "toy", "split": "val", "boxes": ["simulated"]}],
    },
    "resolutions": {
        "variants": ["r_sine"],
        "evaluations": [{"dataset": "toy", "split": "val", "boxes": ["ground_truth"]}],
        "sizes": [[64, 48], [128, 96]],
    },
    "dtypes": {
        "variants": ["r_sine", "h_sine"],
        "evaluations": [{"dataset": "toy", "split": "val", "boxes": ["ground_truth"]}],
    },
    "attention_analysis": {
        "variants": ["r_sine", "h_sine"],
        "evaluations": [{"dataset": "toy", "split": "val", "boxes": ["ground_truth"]}],
        "knockout_persons": 3,
        "curve_persons": 2,
        "occlusion_persons": 1,
    },
    "training": {
        "epochs": 1,
        "batch_size": 8,
        "schedule": {"kind": "one_cycle", "peak": 1e-3},
        "sigma": 1.0,
        "attention_dropout": 0.0,
        "backbone_weights": None,
        "initialisation": "kaiming",
        "device": "cpu",
        "workers": 0,
    },
    "overrides": {"r_no_encoder": {"gpus": 2, "batch_size": 4}},
    "attention_maps": {"persons": 1},
    "cost": {"batch_sizes": [1], "repeats": 1},
    "bootstrap_samples": 20,
}
DATASET = {
    "title": "toy",
    "source": {
        "kind": "synthetic",
        "image_size": [120, 160],
        "images": {"train": 8, "val": 6},
        "smallest_labelled_area": 200,
    },
    "boxes": {"ground_truth": {"kind": "ground_truth"}, "simulated": {"kind": "simulated"}},
}
FORECAST = "Forecast of the jobs to run of study 'toy'"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a clone holds, with a toy study as its default, run once."""
    folder = tmp_path_factory.mktemp("checkout")
    copy_clone(folder)
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(STUDY))
    (folder / "config" / "datasets" / "toy.yaml").write_text(yaml.safe_dump(DATASET))
    done = snakemake(folder)
    assert done.returncode == 0, output_of(done)
    return folder


def test_braces_in_a_title_are_text(checkout: Path) -> None:
    path = checkout / "config" / "datasets" / "toy.yaml"
    before = path.read_text()
    path.write_text(before.replace("title: toy", "title: toy {a}"))
    plan = snakemake(checkout, "-n", "--", "results/backbones/r_sine.safetensors")
    path.write_text(before)
    assert plan.returncode == 0, output_of(plan)


def test_it_makes_tables_figures_maps_and_an_mlflow_database(checkout: Path) -> None:
    results = checkout / "results"
    table = (results / "comparison.csv").read_text()
    assert table.count("\n") == 1 + len(STUDY["variants"]) * 2
    for path in ("comparison.html", "ablations.md", "verdicts.tex", "figures/training.svg", "mlflow.db"):
        assert (results / path).stat().st_size > 0
    for split in ("train", "val"):
        assert f"](../resources/checks/toy/{split}.json) |" in (results / "comparison.md").read_text()
        assert (checkout / f"resources/checks/toy/{split}.json").is_file()
    assert (results / "attention/h_sine/seed0/toy/val/maps.npz").is_file()
    assert not (results / "attention/r_no_encoder").exists()


def test_it_looks_closer_at_protocols_and_input_sizes(checkout: Path) -> None:
    results = checkout / "results"
    assert (results / "protocol_ablation.csv").read_text().count("\n") == 1 + 36
    sizes = {path.name for path in (results / "resolutions/r_sine/seed0/toy/val/ground_truth").glob("*d.json")}
    assert sizes == {"64x48_resampled.json", "64x48_recomputed.json"}
    assert (results / "resolutions.csv").read_text().count("\n") == 1 + 3
    assert (results / "figures/resolutions_toy_val_ground_truth.png").stat().st_size > 0


def test_it_compares_cheaper_arithmetic_with_fp32(checkout: Path) -> None:
    lines = (checkout / "results/dtypes.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["r_sine", "h_sine"]
    assert {path.parts[-5] for path in (checkout / "results/dtypes").rglob("*.json")} == {"r_sine", "h_sine"}


def test_it_measures_explanations_and_says_what_they_show(checkout: Path) -> None:
    results = checkout / "results"
    for table in ("attention_statistics", "faithfulness", "attention_ablation", "claims"):
        for suffix in ("html", "md"):
            assert (results / f"{table}.{suffix}").stat().st_size > 0
    assert "Dependency areas matter more than random areas" in (results / "claims.md").read_text()
    assert not (results / "faithfulness/r_no_encoder").exists()


def test_it_writes_a_report_without_broken_links(checkout: Path) -> None:
    folder = checkout / "results" / "report"
    assert {path.name for path in folder.glob("*.html")} == set(REPORT_PAGES)
    assert broken_links(folder) == []
    assert max(path.stat().st_size for path in folder.rglob("*")) < 3e6


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt install chromium)")
def test_the_report_of_snakemake_starts_with_the_comparison_and_reaches_every_result(
    checkout: Path, tmp_path: Path
) -> None:
    done = snakemake(checkout, "--report", "results/report.html")
    assert done.returncode == 0, output_of(done)
    with browser(tmp_path) as page:
        page.open(checkout / "results" / "report.html")
        page.wait_for("document.body && document.body.innerText.includes('toy, val, simulated boxes')")
        assert page.evaluate("document.querySelector('a[href=\"report/index.html\"]').innerText")
        labels = page.evaluate("Object.values(results).map(one => JSON.stringify(one.labels))")
        frames = page.evaluate(
            "Object.entries(results).filter(([name]) => name.endsWith('.html')).map(([name]) => name)"
        )
    assert len(labels) == len(set(labels)) > 20
    # Chromium shows no frames above 2 MB.
    assert max((checkout / name).stat().st_size for name in frames) < 1e6


def test_nothing_is_left_to_do(checkout: Path) -> None:
    plan = output_of(snakemake(checkout, "-n"))
    assert "Nothing to be done" in plan
    assert FORECAST not in plan


def test_a_comment_in_a_variant_reruns_nothing(checkout: Path) -> None:
    path = checkout / "config" / "variants" / "r_sine.yaml"
    path.write_text(path.read_text() + "# a remark\n")
    assert "Nothing to be done" in output_of(snakemake(checkout, "-n"))


def test_another_oks_evaluates_again_and_trains_nothing(checkout: Path) -> None:
    plan = plan_after_edit(checkout, "transpose/evaluation/matching.py", "2 * sigmas", "3 * sigmas")
    planned = dict(line.split() for line in plan.splitlines() if re.fullmatch(r"\w+ +\d+", line))
    assert planned["evaluate"] == "6"
    assert planned["compare"] == "1"
    assert not planned.keys() & {"train", "predict", "synthesise", "boxes"}


def test_other_words_about_the_code_rerun_nothing(checkout: Path) -> None:
    remark = '# A remark.\n    """Calculate the OKS'
    plan = plan_after_edit(checkout, "transpose/evaluation/matching.py", '"""Compute the OKS', remark)
    assert "Nothing to be done" in plan


def test_another_depth_reruns_only_that_variant(checkout: Path) -> None:
    plan = plan_after_edit(checkout, "config/variants/h_sine.yaml", "layers: 2", "layers: 1")
    assert plan.count(f"{FORECAST}: 1 training and 2 predictions\non this machine's CPU") == 1
    trained = [line for line in plan.splitlines() if line.startswith("Job ") and "Train " in line]
    assert [line.split("Train ")[1] for line in trained] == ["h_sine, seed 0"]
    assert "r_sine" not in "".join(line for line in plan.splitlines() if line.startswith("Job "))


def test_other_ways_to_load_images_train_nothing_again(checkout: Path) -> None:
    path = checkout / "config" / "config.yaml"
    training = STUDY["training"] | {"workers": 3, "image_cache_gb": 0.5}
    path.write_text(yaml.safe_dump(STUDY | {"training": training}))
    plan = output_of(snakemake(checkout, "-n"))
    path.write_text(yaml.safe_dump(STUDY))
    assert "Train " not in plan
    assert "Predict " not in plan


def test_another_runtime_predicts_again_and_neither_trains_nor_explains(checkout: Path) -> None:
    path = checkout / "config" / "config.yaml"
    path.write_text(yaml.safe_dump(STUDY | {"protocol": {"runtime": "onnxruntime"}}))
    plan = output_of(snakemake(checkout, "-n"))
    path.write_text(yaml.safe_dump(STUDY))
    planned = dict(line.split() for line in plan.splitlines() if re.fullmatch(r"\w+ +\d+", line))
    assert {name: planned[name] for name in ("predict", "evaluate", "protocol_ablation", "resolutions")} == {
        "predict": "6",
        "evaluate": "6",
        "protocol_ablation": "1",
        "resolutions": "1",
    }
    kept = {
        "train",
        "dtypes",
        "attention_statistics",
        "faithfulness",
        "attention_ablation",
        "body_parts",
        "explain",
        "viewer",
    }
    assert not planned.keys() & kept


def test_another_text_of_a_rule_trains_nothing_again(checkout: Path) -> None:
    plan = plan_after_edit(checkout, "workflow/rules/train.smk", "step --gpus", "step  --gpus")
    assert "Nothing to be done" in plan


def test_a_copy_with_new_times_trains_and_predicts_nothing_again(checkout: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(checkout, copy, symlinks=True, copy_function=shutil.copyfile)
    plan = output_of(snakemake(copy, "-n"))
    planned = {line.split()[0] for line in plan.splitlines() if re.fullmatch(r"\w+ +\d+", line)}
    # Snakemake compares files by content, and folders by time alone.
    assert planned <= {"compare_resolutions", "study_report", "track_study", "all", "total"}, planned


def test_checkpoints_go_once_mlflow_is_level(checkout: Path) -> None:
    assert not list((checkout / "results" / "train").rglob("checkpoint*"))


def test_one_file_can_be_made_again_by_its_name(checkout: Path) -> None:
    target = "results/metrics/r_sine/seed0/toy/val/simulated.json"
    (checkout / target).unlink()
    done = snakemake(checkout, target)
    assert done.returncode == 0, output_of(done)
    assert (checkout / target).is_file()
    assert FORECAST not in output_of(done)


def test_a_wrong_key_is_told_before_anything_runs(checkout: Path) -> None:
    done = snakemake(checkout, "-n", "--config", "seedz=2")
    assert done.returncode != 0
    assert "seedz: unknown key; known are ablations, " in output_of(done)
    assert "Traceback" not in output_of(done)


def test_another_study_is_taken_and_its_file_named(checkout: Path) -> None:
    (checkout / "config" / "other.yaml").write_text(yaml.safe_dump(STUDY | {"seedz": 2}))
    done = snakemake(checkout, "-n", "--configfile", "config/other.yaml")
    assert done.returncode != 0
    assert "config/other.yaml: seedz: unknown key" in output_of(done)


def test_a_failing_step_shows_its_one_line(checkout: Path) -> None:
    annotations = checkout / "resources" / "toy" / "val" / "annotations.json"
    before = annotations.read_bytes()
    annotations.write_bytes(before[:100])
    target = "results/boxes/toy/val/simulated.json"
    done = snakemake(checkout, "--forcerun", "boxes", "--", target)
    annotations.write_bytes(before)
    assert done.returncode != 0
    assert "transpose: resources/toy/val/annotations.json: " in output_of(done)
    assert not (checkout / target).exists()
