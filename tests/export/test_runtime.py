"""A model predicts the same in every library, and `auto` chooses one by a measurement."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from transpose.config.base import parse
from transpose.config.runtime import Runtime
from transpose.config.study import EvalProtocol
from transpose.errors import InputError
from transpose.export import cached, runtime
from transpose.export.network import OtherSize
from transpose.export.runtime import in_chosen_runtime
from transpose.export.sessions import openvino_has_bf16
from transpose.pose_model import PoseModel

OTHERS: tuple[Runtime, ...] = ("onnxruntime", "openvino")
LARGER = OtherSize((48, 40), recomputes_position=False)


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def exports(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the exports; an export takes seconds."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache))
    return shared_cache / "transpose" / "exported"


def chosen(model: PoseModel, choice: str, other: OtherSize | None = None, **context: Any) -> PoseModel:
    protocol = model.protocol.model_copy(update={"runtime": choice})
    return in_chosen_runtime(replace(model, protocol=protocol, context=replace(model.context, **context)), other)


def crops_of(size: tuple[int, int], count: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, *size, 3), np.uint8))


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("name", OTHERS)
class TestLibrary:
    @pytest.fixture(autouse=True)
    def is_installed(self, name: Runtime) -> None:
        pytest.importorskip(name)
        pytest.importorskip("onnxscript")

    def test_heatmaps_are_those_of_pytorch(self, model: PoseModel, name: Runtime) -> None:
        found, crops = chosen(model, name), crops_of(model.variant.input_size)
        assert (found.runtime.used.name, found.runtime.used.seconds_per_batch) == (name, {})
        assert found.runtime.used.version[0].isdigit()
        views = zip(found.predict_heatmaps_both_ways(crops), model.predict_heatmaps_both_ways(crops), strict=True)
        for view, expected in views:
            assert_close(view, expected)

    def test_the_export_is_written_once(
        self, model: PoseModel, name: Runtime, exports: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        chosen(model, name)
        before = sorted(exports.iterdir())
        monkeypatch.setattr(cached, "export_model", None)
        chosen(model, name)
        assert sorted(exports.iterdir()) == before

    def test_what_only_pytorch_supports_is_refused(self, model: PoseModel, name: Runtime) -> None:
        refused: dict[str, dict[str, Any]] = {
            "computes in fp32, and dtype is fp16": {"dtype": "fp16"},
            "runs on a CPU, and this runs on cuda": {"device": torch.device("cuda")},
            "cannot run a network that is compiled": {"compiled": True},
        }
        for problem, context in refused.items():
            with pytest.raises(InputError, match=f"^runtime: {name}: {problem}; or use torch$"):
                chosen(model, name, **context)

    def test_a_failure_is_one_line(self, model: PoseModel, name: Runtime) -> None:
        found = chosen(model, name)
        with pytest.raises(InputError, match=f"^runtime: {name}: failed: ") as caught:
            found.predict_heatmaps(crops_of((8, 8)))
        assert "\n" not in str(caught.value)


class TestBf16:
    @pytest.fixture(autouse=True)
    def is_installed(self) -> None:
        for package in (*OTHERS, "onnxscript"):
            pytest.importorskip(package)

    def test_openvino_computes_in_bf16_where_the_processor_does(self, model: PoseModel) -> None:
        if not openvino_has_bf16():
            pytest.skip("needs a processor with bf16 instructions")
        found, crops = chosen(model, "openvino", dtype="bf16"), crops_of(model.variant.input_size)
        assert found.runtime.used.dtype == "bf16"
        heatmaps, expected = found.predict_heatmaps(crops), model.predict_heatmaps(crops)
        difference = float((heatmaps - expected).abs().max() / expected.abs().max())
        assert 1e-5 < difference < 0.05

    def test_a_processor_without_bf16_is_named(self, model: PoseModel, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(runtime, "openvino_has_bf16", lambda: False)
        problem = "^runtime: openvino: this processor has no bf16 instructions; use fp32; or use torch$"
        with pytest.raises(InputError, match=problem):
            chosen(model, "openvino", dtype="bf16")

    def test_onnxruntime_is_refused(self, model: PoseModel) -> None:
        problem = "^runtime: onnxruntime: computes in fp32, and dtype is bf16; or use torch$"
        with pytest.raises(InputError, match=problem):
            chosen(model, "onnxruntime", dtype="bf16")

    @pytest.mark.parametrize(("has_bf16", "measured"), [(True, ("torch", "openvino")), (False, ())])
    def test_auto_measures_what_computes_in_bf16(
        self, model: PoseModel, monkeypatch: pytest.MonkeyPatch, has_bf16: bool, measured: tuple[Runtime, ...]
    ) -> None:
        monkeypatch.setattr(runtime, "openvino_has_bf16", lambda: has_bf16)
        assert tuple(chosen(model, "auto", dtype="bf16").runtime.used.seconds_per_batch) == measured


@pytest.mark.slow
@pytest.mark.parametrize("recomputes", [False, True])
def test_another_input_size(model: PoseModel, recomputes: bool) -> None:
    pytest.importorskip("openvino")
    pytest.importorskip("onnxscript")
    in_torch = PoseModel.from_run(model.weights.parent)
    other = replace(LARGER, recomputes_position=recomputes)
    if recomputes:
        in_torch.network.recompute_position(in_torch.network.grid_size(other.input_size))
    crops = crops_of(other.input_size)
    assert_close(chosen(in_torch, "openvino", other).predict_heatmaps(crops), in_torch.predict_heatmaps(crops))


def test_other_weights_or_sizes_have_another_export(
    model: PoseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached, "export_model", lambda *arguments, **_: None)
    monkeypatch.setattr(cached, "_code_of_writer", lambda: "f1f2")
    other_weights = replace(model, weights=tmp_path / "weights.safetensors")
    other_weights.weights.write_bytes(b"other")
    cases = [
        (model, None),
        (other_weights, None),
        (model, LARGER),
        (model, replace(LARGER, recomputes_position=True)),
    ]
    assert len({cached.cached_export(one, "onnx", size) for one, size in cases}) == len(cases)


class TestAuto:
    @pytest.fixture
    def made_up(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[float]], None]:
        """Sets the seconds of PyTorch, ONNX Runtime and OpenVINO."""

        def of(seconds: Sequence[float]) -> None:
            monkeypatch.setattr(runtime, "_fastest_calls", lambda calls, clock: list(seconds))

        for package in (*OTHERS, "onnxscript"):
            pytest.importorskip(package)
        return of

    @pytest.mark.parametrize(
        ("seconds", "name"),
        [((0.3, 0.2, 0.1), "openvino"), ((0.3, 0.1, 0.2), "onnxruntime"), ((0.1, 0.2, 0.3), "torch")],
    )
    def test_it_is_the_fastest(
        self, model: PoseModel, made_up: Callable[[Sequence[float]], None], seconds: Sequence[float], name: str
    ) -> None:
        made_up(seconds)
        found = chosen(model, "auto")
        assert found.runtime.used.name == name
        expected = dict(zip(("torch", *OTHERS), seconds, strict=True))
        assert found.runtime.used.seconds_per_batch == expected
        assert (found.runtime.heatmaps is None) == (name == "torch")

    def test_what_is_measured_are_passes_of_one_batch(self, model: PoseModel) -> None:
        for package in (*OTHERS, "onnxscript"):
            pytest.importorskip(package)
        measured = chosen(model, "auto").runtime.used.seconds_per_batch
        assert list(measured) == ["torch", *OTHERS]

    def test_it_is_pytorch_where_only_that_can(self, model: PoseModel) -> None:
        assert chosen(model, "auto", compiled=True).runtime.used.name == "torch"


def test_calls_are_interleaved_and_the_first_is_not_timed() -> None:
    order: list[int] = []
    seconds = runtime._fastest_calls([lambda: order.append(0), lambda: order.append(1)], lambda: 0.0)
    assert order == [0, 1] * 6
    assert seconds == [0, 0]


@pytest.mark.parametrize("choice", ["openvino", "auto"])
def test_libraries_that_are_not_installed(model: PoseModel, choice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "find_spec", lambda name: None)
    if choice == "auto":
        found = chosen(model, choice)
        assert (found.runtime.used.name, found.runtime.used.seconds_per_batch) == ("torch", {})
        return
    words = r"^runtime: openvino: needs openvino and onnxscript: pip install 'transpose-pipeline\[onnx,openvino\]'"
    with pytest.raises(InputError, match=words):
        chosen(model, choice)


def test_a_compiled_network_is_of_pytorch() -> None:
    with pytest.raises(InputError, match=r"^study: protocol\.runtime|^study: runtime: .*auto cannot be combined"):
        parse(EvalProtocol, {"compile": True, "runtime": "auto"}, "study")
