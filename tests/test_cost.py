from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import nn

from transpose.config.cost_report import CostReport
from transpose.config.load import load_variant
from transpose.config.study import Cost
from transpose.config.variant import Encoder, ResNetBackbone, Variant
from transpose.cost import count_operations, count_parameters, measure_cost
from transpose.models.variants import build_model

VARIANTS = Path(__file__).parents[1] / "config" / "variants"

# name: total, trainable, multiply-accumulates, "GFLOPs" by the tool behind the published figures
OFFICIAL = {
    "tp_r_a3": (5_195_345, 4_998_737, 5.414e9, 7.962e9),
    "tp_r_a4": (5_985_105, 5_788_497, 6.320e9, 8.896e9),
    "tp_h_s": (8_019_281, 7_822_673, 9.929e9, 10.208e9),
    "tp_h_a4": (17_306_129, 17_011_217, 17.205e9, 17.512e9),
    "tp_h_a6": (17_455_697, 17_160_785, 21.282e9, 21.694e9),
}


@pytest.mark.parametrize("name", OFFICIAL)
def test_released_variants_cost_what_the_official_models_cost(name: str):
    total, trainable, macs, macs_as_published = OFFICIAL[name]
    variant = load_variant(name, VARIANTS)
    with torch.device("meta"):
        model = build_model(variant, 17)

    parameters = count_parameters(model, variant)
    assert (parameters.total, parameters.trainable) == (total, trainable)
    assert parameters.total - parameters.trainable == parameters.fixed_position_embedding

    operations = count_operations(model, variant.input_size)
    assert operations.macs == pytest.approx(macs, rel=5e-3)
    assert operations.macs_as_published == pytest.approx(macs_as_published, rel=5e-3)


def small_variant(position_embedding: Literal["none", "learnable", "sine"] | None) -> Variant:
    return Variant(
        title="small",
        input_size=(64, 64),
        backbone=ResNetBackbone(family="resnet", block="basic", blocks=(1, 1), width=8),
        dim=16,
        encoder=None
        if position_embedding is None
        else Encoder(layers=1, heads=2, feedforward=16, position_embedding=position_embedding),
        upsampling="deconvolution",
        deconvolution_channels=16,
    )


def test_the_same_work_on_four_times_the_pixels():
    without_attention = small_variant(None)
    model = build_model(without_attention, 17)
    small, large = (count_operations(model, size) for size in ((64, 64), (128, 128)))
    assert large.macs == 4 * small.macs
    assert large.macs_as_published == 4 * small.macs_as_published


def test_a_deconvolution_is_counted_where_it_is_computed_and_as_published_on_its_output():
    deconvolution = nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1, bias=False)
    operations = count_operations(deconvolution, (8, 6))
    assert operations.macs == 3 * 5 * 16 * 8 * 6
    assert operations.macs_as_published == 4 * operations.macs


def test_counting_leaves_the_model_as_it_was():
    model = build_model(small_variant("sine"), 17).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    count_operations(model, (64, 64))
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("position_embedding", "fixed", "learned"), [("none", 0, 0), ("learnable", 0, 1024), ("sine", 1024, 0)]
)
def test_only_a_sine_embedding_is_fixed(
    position_embedding: Literal["none", "learnable", "sine"], fixed: int, learned: int
):
    variant, plain = small_variant(position_embedding), small_variant("none")
    parameters = count_parameters(build_model(variant, 17), variant)
    base = count_parameters(build_model(plain, 17), plain)
    assert parameters.fixed_position_embedding == fixed
    assert parameters.trainable - base.trainable == learned
    assert parameters.total - base.total == fixed + learned


def test_a_report_names_its_machine_and_survives_json():
    variant = small_variant("sine")
    threads = torch.get_num_threads()
    report = measure_cost(build_model(variant, 17), variant, Cost(batch_sizes=(1, 2), repeats=3), torch.device("cpu"))
    assert CostReport.model_validate_json(report.model_dump_json()) == report
    assert [timing.batch_size for timing in report.timings] == [1, 2]
    for timing in report.timings:
        assert 0 < timing.fastest_seconds <= timing.median_seconds <= timing.slowest_seconds
        assert timing.images_per_second == pytest.approx(timing.batch_size / timing.median_seconds)
        assert timing.peak_memory_bytes > 0
    assert {"device", "cpu", "torch", "load_average_1_min"} <= report.machine.keys()
    assert report.threads == 1
    assert torch.get_num_threads() == threads
