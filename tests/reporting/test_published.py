from pathlib import Path

import pytest
import yaml

from tests.helpers.sample_results import published
from transpose.config.load import load_variant
from transpose.errors import InputError
from transpose.reporting.published import load_published, published_row

CONFIG = Path(__file__).parents[2] / "config"


@pytest.mark.parametrize(
    ("name", "benchmark", "kind", "metric", "value"),
    [
        ("tp_r_a3", "coco_val2017", "detections", "AP", 71.7),
        ("tp_r_a4", "coco_val2017", "detections", "ARL", 84.4),
        ("tp_h_s", "coco_val2017", "detections", "gflops", 10.2),
        ("tp_h_a4", "coco_val2017", "detections", "APM", 71.7),
        ("tp_h_a6", "coco_val2017", "detections", "fps", 38),
        ("tp_r_a3", "coco_val2017", "ground_truth", "AP", 73.8),
        ("tp_r_a4", "coco_val2017", "ground_truth", "AP", 75.1),
        ("tp_h_s", "coco_val2017", "ground_truth", "AP", 76.1),
        ("tp_h_a4", "coco_val2017", "ground_truth", "AP", 77.5),
        ("tp_h_a6", "coco_val2017", "ground_truth", "AP", 78.1),
        ("tp_h_s", "coco_test_dev2017", "detections", "AP", 73.4),
        ("tp_h_a6", "coco_test_dev2017", "detections", "AR75", 86.7),
        ("hrnet_w48", "coco_val2017", "detections", "AP", 75.1),
        ("simple_baseline_r152", "coco_val2017", "detections", "params", 68.6),
        ("hrnet_w48_dark_384x288", "coco_test_dev2017", "detections", "APL", 82.4),
        ("hrnet_w32_dark", "mpii_val", "ground_truth", "PCKh50", 90.6),
        ("vitpose_h", "coco_val2017", "detections", "AP", 79.1),
        ("swin_l_384x288", "coco_val2017", "detections", "AR", 81.4),
        ("sapiens_2b", "coco_val2017", "detections", "APL", 88.4),
        ("detrpose_x", "coco_val2017", "detections", "params", 73.3),
    ],
)
def test_confirmed_figures(name, benchmark, kind, metric, value):
    row = published_row(published(), name, benchmark, kind)
    assert row is not None
    assert row.metrics[metric] == value
    assert row.is_confirmed(metric)


@pytest.mark.parametrize(
    ("name", "benchmark", "kind", "metric", "value"),
    [
        ("tp_r_a3_no_position", "coco_val2017", "detections", "AP", 70.4),
        ("tp_r_a3_learnable_position", "coco_val2017", "detections", "AP", 70.9),
        ("tp_r_a3_star", "coco_val2017", "detections", "AP", 71.5),
        ("tp_r_a2", "coco_val2017", "detections", "fps", 174),
        ("tp_h_a4_d192", "coco_val2017", "detections", "AR", 80.5),
        ("hrnet_w32", "coco_val2017", "detections", "fps", 28),
        ("hrnet_w48", "coco_test_dev2017", "detections", "AP", 74.2),
        ("tp_h_a6_mpii_finetuned", "mpii_val", "ground_truth", "PCKh11", 44.4),
        ("tp_h_a6_mpii_finetuned", "mpii_test", "ground_truth", "PCKh50", 93.5),
    ],
)
def test_recalled_figures_are_unconfirmed(name, benchmark, kind, metric, value):
    row = published_row(published(), name, benchmark, kind)
    assert row is not None
    assert row.metrics[metric] == value
    assert not row.is_confirmed(metric)


def test_each_value_has_its_status():
    row = published_row(published(), "tp_h_a6_mpii_finetuned", "mpii_val", "ground_truth")
    assert row is not None
    assert row.is_confirmed("PCKh50")
    assert row.metrics["PCKh50"] == 92.3


def test_every_table_is_there():
    tables = {table for row in published().rows for table in row.tables}
    assert tables == {"coco_val", "coco_test_dev", "position_embedding", "encoder_size", "mpii", "other_models"}


def test_no_variant_reproduces_a_row_that_is_published_only():
    names = {row.name for row in published().rows if row.published_only}
    variants = [load_variant(path.stem, path.parent) for path in (CONFIG / "variants").glob("*.yaml")]
    assert len(names) == 49
    assert not names & {variant.published for variant in variants}


def test_no_test_dev_figure_exists_for_the_resnet_models():
    assert published_row(published(), "tp_r_a4", "coco_test_dev2017", "detections") is None


def test_variants_reproduce_rows_that_exist():
    names = {row.name for row in published().rows}
    variants = [load_variant(path.stem, path.parent) for path in (CONFIG / "variants").glob("*.yaml")]
    assert {variant.published for variant in variants} - {None} <= names


def published_values() -> dict:
    return yaml.safe_load((CONFIG / "tables" / "published.yaml").read_text())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["rows"].append(v["rows"][0]), "tp_r_a3 appears twice"),
        (lambda v: v["rows"][0].update(benchmark="nowhere"), "unknown benchmark 'nowhere'"),
        (lambda v: v["rows"][0].update(boxes="nothing"), "unknown boxes 'nothing'"),
        (lambda v: v["rows"][0].update(unconfirmed_metrics=["PCKh50"]), "which the row lacks"),
        (lambda v: v["rows"][0]["metrics"].update(AP="high"), "rows.0.metrics.AP"),
        (lambda v: v["rows"][0].update(statsu="confirmed"), "did you mean 'status'"),
    ],
)
def test_a_wrong_file_is_an_error_of_one_line(tmp_path, change, message):
    values = published_values()
    change(values)
    path = tmp_path / "published.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(InputError) as error:
        load_published(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
