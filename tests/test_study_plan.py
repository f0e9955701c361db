"""The plan that the workflow's rules ask."""

import json
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.record_digests import record_digests
from transpose.config.base import read_yaml
from transpose.config.bootstrap import Bootstrap
from transpose.config.load import read_record
from transpose.config.study import Analysis, Study
from transpose.errors import InputError
from transpose.files import write_json
from transpose.reporting.study_files import StudyFiles
from transpose.study.layout import RecordKind, ResultsLayout, RunId
from transpose.study.plan import Plan

CONFIG = Path(__file__).parents[1] / "config"
NO_SIDE_STUDIES = {"protocol_ablation": None, "resolutions": None, "dtypes": None, "attention_analysis": None}


@dataclass
class Wildcards:
    """As Snakemake hands them to a rule's functions."""

    dataset: str
    split: str
    boxes: str


@pytest.fixture
def demo() -> dict[str, Any]:
    return read_yaml(CONFIG / "config.yaml")


def test_every_run_is_evaluated_everywhere(demo: dict[str, Any]) -> None:
    plan = Plan.of_config(demo | {"seeds": 2}, CONFIG)
    assert len(list(plan.training.runs())) == 2 * len(demo["variants"])
    boxes = sum(len(evaluation["boxes"]) for evaluation in demo["evaluations"])
    assert len(set(plan.evaluation.metrics())) == boxes * len(list(plan.training.runs()))


def test_a_variant_without_encoder_has_nothing_to_explain(demo: dict[str, Any]) -> None:
    plan = Plan.of_config(demo, CONFIG)
    assert plan.evaluation.attention_maps_of(RunId("r_no_encoder", 0)) == []
    assert len(plan.evaluation.attention_maps_of(RunId("r_sine", 0))) == len(demo["evaluations"])
    assert RunId("r_sine", 0) in plan.evaluation.viewer_runs()
    assert RunId("r_no_encoder", 0) not in plan.evaluation.viewer_runs()


def test_every_evaluated_split_has_one_viewer_of_the_first_seeds(demo: dict[str, Any]) -> None:
    plan = Plan.of_config(demo | {"seeds": 2, "evaluations": [*demo["evaluations"], demo["evaluations"][0]]}, CONFIG)
    assert plan.evaluation.viewers() == [
        Path("results/viewer/synthetic_val.html"),
        Path("results/viewer/photographs_val.html"),
    ]
    assert len(plan.evaluation.viewer_runs()) == len(demo["variants"]) - 1
    alone = NO_SIDE_STUDIES | {"variants": ["r_no_encoder"], "ablations": [], "overrides": {}}
    assert Plan.of_config(demo | alone, CONFIG).evaluation.viewers() == []


def test_every_split_evaluated_by_oks_has_an_error_browser_of_its_first_boxes(demo: dict[str, Any]) -> None:
    plan = Plan.of_config(demo | {"seeds": 2}, CONFIG)
    assert plan.evaluation.error_browsers() == [
        Path("results/errors/synthetic_val.html"),
        Path("results/errors/photographs_val.html"),
    ]
    assert plan.evaluation.model_errors() == [path.with_suffix(".json") for path in plan.evaluation.error_browsers()]
    predictions = plan.evaluation.browsed_predictions("synthetic", "val")
    assert predictions == [
        Path(f"results/predictions/{variant}/seed0/synthetic/val/ground_truth.json") for variant in demo["variants"]
    ]


def test_records_depend_on_values_and_not_on_the_order_of_keys(demo: dict[str, Any]) -> None:
    turned = dict(reversed(demo.items()))
    first, second = (Plan.of_config(values, CONFIG) for values in (demo, turned))
    assert record_digests(first) == record_digests(second)
    for kind, name in (
        (RecordKind.RECIPE, "r_sine"),
        (RecordKind.DATASET, "synthetic"),
        (RecordKind.PROTOCOL, "study"),
    ):
        assert first.digest(kind, name) == second.digest(kind, name)


def test_a_changed_training_key_changes_only_recipes(demo: dict[str, Any]) -> None:
    changed = demo | {"overrides": {"r_sine": {"epochs": 1}}}
    first, second = (Plan.of_config(values, CONFIG) for values in (demo, changed))
    assert record_digests(first) != record_digests(second)
    assert first.digest(RecordKind.RECIPE, "r_sine") != second.digest(RecordKind.RECIPE, "r_sine")
    assert first.digest(RecordKind.RECIPE, "r_no_position") == second.digest(RecordKind.RECIPE, "r_no_position")
    assert first.digest(RecordKind.PROTOCOL) == second.digest(RecordKind.PROTOCOL)


def test_written_records_read_back_as_what_they_were_made_of(demo: dict[str, Any], tmp_path: Path) -> None:
    plan, layout = Plan.of_config(demo, CONFIG), ResultsLayout(tmp_path)
    plan.write_records(layout)
    files = StudyFiles.read(layout)
    # What a forecast assumes is in no record, and where the study is logged is in another one.
    elsewhere = {key: Study.model_fields[key].default for key in ("forecast", "tracking")}
    assert files.study == plan.study.model_copy(update=elsewhere)
    assert files.datasets == plan.datasets
    assert {name: recipe.variant for name, recipe in files.recipes.items()} == {
        name: recipe.variant for name, recipe in plan.recipes.items()
    }
    assert read_record(Bootstrap, layout.record(RecordKind.BOOTSTRAP)) == plan.study.bootstrap
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.json")}
    assert written == {ResultsLayout(Path()).record(*record) for record in record_digests(plan)}


def test_a_box_source_more_changes_the_digest_of_no_other(demo: dict[str, Any]) -> None:
    plan = Plan.of_config(demo, CONFIG)
    dataset = plan.datasets["synthetic"]
    more = dataset.model_copy(update={"boxes": {**dataset.boxes, "more": dataset.boxes["simulated"]}})
    other = replace(plan, datasets={**plan.datasets, "synthetic": more})
    wildcards = Wildcards("synthetic", "val", "ground_truth")
    assert plan.data.boxes_key(wildcards) == other.data.boxes_key(wildcards)
    assert plan.data.boxes_key(wildcards) != plan.data.boxes_key(Wildcards("synthetic", "val", "simulated"))


def test_photographs_are_read_where_they_ship(demo: dict[str, Any]) -> None:
    plan = Plan.of_config(demo, CONFIG)
    path = plan.data.annotations(Wildcards(dataset="photographs", split="val", boxes="ground_truth"))
    assert Path(path).is_file()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        (
            "variants",
            ["r_sine", "r_sien"],
            r"variants\.1: unknown variant 'r_sien'; known are .*; did you mean 'r_sine'",
        ),
        ("variants", ["r_sine", "r_sine"], r"variants\.1: repeats the variant 'r_sine'$"),
        (
            "train",
            {"dataset": "coko", "split": "train"},
            r"train\.dataset: unknown data set 'coko'; .*did you mean 'coco'",
        ),
        (
            "train",
            {"dataset": "toy", "split": "trian"},
            r"train\.split: toy has no split 'trian'; .*did you mean 'train'",
        ),
        (
            "evaluations",
            [{"dataset": "synthetic", "split": "val", "boxes": ["ground_truth", "gt"]}],
            r"evaluations\.0\.boxes\.1: synthetic has no box source 'gt'; known are ground_truth, simulated$",
        ),
        (
            "evaluations",
            [{"dataset": "synthetic", "split": "vall", "boxes": ["ground_truth"]}],
            r"evaluations\.0\.split: synthetic has no split 'vall'; known are train, val; did you mean 'val'\?$",
        ),
        (
            "ablations",
            [{"question": "?", "baseline": "r_sine", "variants": ["h_sine", "r_learnabel"]}],
            r"ablations\.0\.variants\.1: 'r_learnabel' is not among the study's variants; .*mean 'r_learnable'",
        ),
        (
            "ablations",
            [{"question": "?", "baseline": "tp_r_a4", "variants": ["h_sine"]}],
            r"ablations\.0\.baseline: 'tp_r_a4' is not among",
        ),
        ("overrides", {"tp_r_a4": {"epochs": 3}}, "overrides: 'tp_r_a4' is not among the study's variants; known are"),
    ],
)
def test_a_wrong_name_is_reported_where_it_is(demo: dict[str, Any], key: str, value: Any, words: str) -> None:
    # Everything else stays, so that parts that name the right one must not be reported instead.
    with pytest.raises(InputError, match=f"^mine.yaml: {words}"):
        Plan.of_config(demo | {key: value}, CONFIG, "mine.yaml")


@pytest.mark.parametrize("key", ["protocol_ablation", "resolutions", "dtypes", "attention_analysis"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"variants": ["r_sine", "tp_r_a4"]}, r"variants\.1: 'tp_r_a4' is not among the study's variants; known are"),
        (
            {"evaluations": [{"dataset": "synthetic", "split": "train", "boxes": ["ground_truth"]}]},
            r"evaluations\.0: 'synthetic/train/ground_truth' is not among the study's evaluations; known are",
        ),
    ],
)
def test_an_analysis_is_of_what_the_study_evaluates(
    demo: dict[str, Any], key: str, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=rf"^mine\.yaml: {key}\.{words}"):
        Plan.of_config(demo | {key: demo[key] | change}, CONFIG, "mine.yaml")


def external(**changes: Any) -> dict[str, Any]:
    split = {"dataset": "synthetic", "split": "val"}
    return {"name": "theirs", "title": "Theirs", "results": "theirs.json", **split} | changes


def test_external_results_are_evaluated_with_the_boxes_of_their_split(demo: dict[str, Any]) -> None:
    plan = Plan.of_config(demo | {"external": [external()]}, CONFIG)
    assert plan.evaluation.external() == [Path("results/external/theirs.json")]
    names = [path.relative_to("results/boxes").as_posix() for path in plan.evaluation.external_boxes("theirs")]
    assert names == ["synthetic/val/ground_truth.json", "synthetic/val/simulated.json"]
    assert list(plan.record_values(RecordKind.EXTERNAL)) == ["theirs"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "other"}, r"external\.1\.title: another row has the title 'Theirs'"),
        ({"title": "Other"}, r"external\.1\.name: repeats 'theirs'"),
        (
            {"name": "o", "title": "O", "split": "train"},
            r"external\.1\.split: synthetic/train is not among the study's",
        ),
        ({"name": "o", "title": "O", "dataset": "mpii"}, r"external\.1\.split: mpii/val is not among the study's"),
    ],
)
def test_external_results_that_fit_no_evaluation_are_refused(
    demo: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        Plan.of_config(demo | {"external": [external(), external(**changes)]}, CONFIG)


def test_two_variants_of_one_title_are_refused(demo: dict[str, Any], tmp_path: Path) -> None:
    shutil.copytree(CONFIG, tmp_path / "config")
    variants = tmp_path / "config" / "variants"
    title = read_yaml(variants / "r_sine.yaml")["title"]
    (variants / "copy.yaml").write_text(json.dumps({"extends": "r_sine", "title": title}))
    place = f"mine.yaml: variants.{len(demo['variants'])}"
    words = f"{place}: copy and r_sine have one title, {title!r}; change `title` in the file of one of them"
    with pytest.raises(InputError, match=f"^{re.escape(words)}$"):
        Plan.of_config(demo | {"variants": [*demo["variants"], "copy"]}, tmp_path / "config", "mine.yaml")


def test_only_rendered_data_sets_may_be_written_by_the_rendering_rule(demo: dict[str, Any]) -> None:
    plan = Plan.of_config(demo, CONFIG)
    assert re.fullmatch(plan.data.names_of_rendered(), "synthetic")
    assert not re.fullmatch(plan.data.names_of_rendered(), "photographs")


def test_every_split_that_is_read_is_checked(demo: dict[str, Any]) -> None:
    checks = Plan.of_config(demo, CONFIG).checks
    assert checks.uses() == {
        ("synthetic", "train"): ["training"],
        ("synthetic", "val"): ["validation", "evaluation"],
        ("photographs", "val"): ["evaluation"],
    }
    assert checks.inputs() == [checks.report(*split) for split in checks.uses()]
    assert checks.report("photographs", "val") == Path("resources/checks/photographs/val.json")
    assert re.fullmatch(checks.names_of_others(), "photographs")


def test_splits_in_folders_are_checked_by_their_import() -> None:
    study = read_yaml(CONFIG / "studies" / "mpii.yaml")
    checks = Plan.of_config(study, CONFIG).checks
    assert checks.report("mpii", "val") == Path("resources/imported/mpii/val/check.json")
    assert Path("resources/imported/mpii/val/annotations.json") in checks.inputs()
    assert not re.fullmatch(checks.names_of_others(), "mpii")


def test_training_data_of_released_checkpoints_are_not_read() -> None:
    checks = Plan.of_config(read_yaml(CONFIG / "studies" / "official.yaml"), CONFIG).checks
    assert {use for uses in checks.uses().values() for use in uses} == {"evaluation"}


def test_messages_name_the_studys_file(demo: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^mine\.yaml: seeds: "):
        Plan.of_config(demo | {"seeds": 0}, CONFIG, source="mine.yaml")


DETECTIONS = {"kind": "detections", "files": {"val": "resources/d.json"}}
REMOTE = {
    "kind": "detections",
    "files": {"val": "https://example.org/d.json?download=1"},
    "sha256": {"val": "a" * 64},
}
DETECTOR = {"kind": "detector", "model": "http://example.org/yolox.onnx", "threads": 3}


@pytest.fixture
def with_boxes(demo: dict[str, Any], tmp_path: Path) -> Plan:
    """The demo, evaluated on photographs with boxes of every kind."""
    photographs = read_yaml(CONFIG / "datasets" / "photographs.yaml")
    photographs["boxes"] |= {"found": DETECTIONS, "remote": REMOTE, "detector": DETECTOR}
    shutil.copytree(CONFIG, tmp_path / "config")
    write_json(tmp_path / "config" / "datasets" / "photographs.yaml", photographs)
    evaluations = [{"dataset": "photographs", "split": "val", "boxes": list(photographs["boxes"])}]
    return Plan.of_config(
        demo | NO_SIDE_STUDIES | {"evaluations": evaluations},
        tmp_path / "config",
    )


def place(boxes: str) -> Wildcards:
    return Wildcards(dataset="photographs", split="val", boxes=boxes)


def test_boxes_from_no_file_need_none(with_boxes: Plan) -> None:
    assert with_boxes.boxes.file(place("ground_truth")) == with_boxes.boxes.file(place("simulated")) == []


def test_a_detection_file_that_is_absent_is_reported_and_one_that_is_there_is_needed(
    with_boxes: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"resources/d\.json: no such file; .*another box source: ground_truth"):
        with_boxes.boxes.file(place("found"))
    write_json(Path("resources/d.json"), [])
    assert with_boxes.boxes.file(place("found")) == ["resources/d.json"]


def test_files_from_urls_are_fetched_to_where_the_boxes_rule_looks(with_boxes: Plan) -> None:
    for boxes, address, sha256 in (
        ("remote", "https://example.org/d.json?download=1", "a" * 64),
        ("detector", "http://example.org/yolox.onnx", None),
    ):
        (path,) = with_boxes.boxes.file(place(boxes))
        assert re.fullmatch(r"resources/downloaded_files/[0-9a-f]{12}/(d\.json|yolox\.onnx)", path)
        file = with_boxes.boxes.remote_file(path)
        assert (file.address, file.sha256) == (address, sha256)
    with pytest.raises(InputError, match="no box source of the study"):
        with_boxes.boxes.remote_file("resources/downloaded_files/000000000000/d.json")


def test_a_listed_file_is_needed_as_the_record_that_its_download_writes() -> None:
    plan = Plan.of_config(read_yaml(CONFIG / "studies" / "official.yaml"), CONFIG)
    wildcards = Wildcards(dataset="coco", split="val2017", boxes="detector")
    path = "resources/detections/COCO_val2017_detections_AP_H_56_person.json"
    assert plan.boxes.file(wildcards) == [f"{path}.sha256.json"]
    assert plan.boxes.file_option(wildcards) == [f"--file={path}"]
    assert plan.boxes.listed_files() == {path: "coco_val2017_person_boxes"}


def test_only_a_detector_takes_threads(with_boxes: Plan) -> None:
    assert [with_boxes.boxes.threads(place(boxes)) for boxes in ("found", "detector", "simulated")] == [1, 3, 1]


def test_all_boxes_are_counted_and_all_but_the_annotated_are_evaluated(with_boxes: Plan) -> None:
    names = ["ground_truth", "simulated", "found", "remote", "detector"]
    assert with_boxes.boxes.counts() == [Path(f"results/boxes/photographs/val/{name}.counts.json") for name in names]
    assert with_boxes.boxes.metrics() == [Path(f"results/box_ap/photographs/val/{name}.json") for name in names[1:]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"variants": ["r_no_encoder"]}, "r_no_encoder has no encoder and so no attention"),
        ({"variants": ["h_sine", "r_sine"], "patch": 12}, "12 is not a multiple of 8, the stride of r_sine"),
        (
            {"evaluations": [{"dataset": "synthetic", "split": "val", "boxes": ["simulated"]}]},
            "analysed on annotated boxes only, not on 'simulated' of synthetic",
        ),
        ({"fractions": [0.2, 0.1]}, "fractions must be in ascending order"),
        ({"knockout_fraction": 0.3}, "knockout_fraction must be one of fractions"),
    ],
)
def test_measures_of_attention_that_cannot_be_made_are_refused(
    demo: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        Plan.of_config(demo | {"attention_analysis": demo["attention_analysis"] | change}, CONFIG)


def test_every_measure_of_attention_has_a_file_for_each_variant(demo: dict[str, Any]) -> None:
    plan = Plan.of_config(demo, CONFIG)
    files = plan.evaluation.reports(Analysis.FAITHFULNESS)
    assert len(files) == len(demo["attention_analysis"]["variants"])
    assert Path("results/faithfulness/h_sine/seed0/synthetic/val/ground_truth.json") in files
    assert Plan.of_config(demo | {"attention_analysis": None}, CONFIG).evaluation.reports(Analysis.FAITHFULNESS) == []


@pytest.mark.parametrize("values", [None, [], "study", 3])
def test_a_study_that_is_no_block_of_keys_is_refused(values: object) -> None:
    with pytest.raises(InputError, match=r"^mine\.yaml: Input should be a valid dictionary"):
        Plan.of_config(values, CONFIG, "mine.yaml")
