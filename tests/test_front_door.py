"""What `import transpose` gives: models by name, folder or file, and nothing heavy before it is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import transpose
from tests.helpers.run_records import SMALL, write_run
from tests.helpers.small_variants import small_variant
from transpose import model_sources
from transpose.config.study import EvalProtocol
from transpose.config.weights import ReleasedWeights
from transpose.data.photographs import photographs_folder
from transpose.errors import InputError
from transpose.models.variants import build_model
from transpose.models.weights import read_checkpoint, save_weights
from transpose.skeleton import COCO_PERSON

PHOTOGRAPH = photographs_folder() / "images" / "000000214753.jpg"


def test_every_exported_name_is_there_and_listed() -> None:
    assert set(transpose.__all__) <= set(dir(transpose))
    assert all(getattr(transpose, name) is not None for name in transpose.__all__)
    assert transpose.COCO_PERSON is COCO_PERSON
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        transpose.lode  # noqa: B018 # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("command", ["import transpose; transpose.COCO_PERSON", "import transpose.cli"])
def test_torch_waits_until_it_is_needed(command: str) -> None:
    code = f"{command}; import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_package_ships_a_model_that_finds_people_in_a_photograph() -> None:
    model = transpose.load()
    poses = model.predict(PHOTOGRAPH, [[232.6, 126.0, 63.4, 121.9], [360.3, 114.8, 57.2, 134.8]])
    found = (poses.scores >= model.protocol.keypoint_threshold).sum(axis=1)
    assert (found >= (6, 10)).all()
    # The rider on the right sits upright: shoulders above hips, both within the box.
    shoulder, hip = poses.keypoints["left_shoulder"][1], poses.keypoints["left_hip"][1]
    assert 360 < shoulder[0] < 418
    assert 114 < shoulder[1] < hip[1] < 250
    assert model.attention(PHOTOGRAPH).dependency.shape == (1, 17, 24, 18)


class TestSources:
    """Run in a folder that has what a checkout has."""

    @pytest.fixture(autouse=True)
    def checkout(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "config" / "tables").mkdir(parents=True)
        (tmp_path / "config" / "variants").mkdir()
        named = {"small": small_variant("resnet", {"released": "tp_small"}), "other": small_variant("hrnet")}
        for name, variant in named.items():
            (tmp_path / "config" / "variants" / f"{name}.yaml").write_text(variant.model_dump_json())
        rows = "tp_small: {title: released, holds: variant, urls: ['https://x.example/a.pth']}"
        backbone = "bone: {title: a backbone, holds: backbone, urls: ['https://x.example/b.pth']}"
        (tmp_path / "config" / "tables" / "weights.yaml").write_text(f"weights:\n  {rows}\n  {backbone}\n")
        network = build_model(SMALL.variant, len(COCO_PERSON))
        save_weights(network, tmp_path / "run" / "weights.safetensors", {})
        write_run(tmp_path / "run" / "run.json")
        return tmp_path

    @pytest.mark.parametrize("source", ["run", "run/run.json", Path("run")])
    def test_a_run(self, source: Path | str) -> None:
        assert transpose.load(source).protocol == EvalProtocol(batch_size=4)

    @pytest.mark.parametrize(("source", "variant"), [("run", None), ("run/weights.safetensors", "small")])
    def test_threads_and_runtime_replace_those_of_the_study(
        self, source: str, variant: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
        monkeypatch.setattr("transpose.export.runtime.find_spec", lambda package: None)
        model = transpose.load(source, variant=variant, threads=3, runtime="auto")
        assert (model.context.threads, model.protocol.threads, model.protocol.runtime) == (3, 3, "auto")
        assert model.runtime.used.name == "torch"
        with pytest.raises(InputError, match="runtime: openvino: needs openvino and onnxscript"):
            transpose.load(source, variant=variant, runtime="openvino")

    @pytest.mark.parametrize("variant", ["small", "config/variants/small.yaml"])
    def test_weights_with_a_variant_predict_by_the_official_protocol(self, variant: str) -> None:
        model = transpose.load("run/weights.safetensors", variant=variant)
        assert (model.skeleton, model.protocol, model.recipe.name) == (COCO_PERSON, EvalProtocol(), "small")

    def test_a_checkpoint_of_another_trainer_with_a_variant(self, checkout: Path) -> None:
        state = read_checkpoint(checkout / "run" / "weights.safetensors")
        torch.save({"state_dict": {f"model.{key}": tensor for key, tensor in state.items()}}, checkout / "l.ckpt")
        assert transpose.load("l.ckpt", variant="small").recipe.name == "small"

    def test_a_released_checkpoint_is_fetched_once(self, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[Path] = []

        def download(row: ReleasedWeights, checkpoint: Path, pin: Path, output: Path, report: object) -> None:
            asked.extend((checkpoint, pin))
            output.parent.mkdir(parents=True)
            output.write_bytes((checkout / "run" / "weights.safetensors").read_bytes())

        monkeypatch.setattr(model_sources, "download_released", download)
        for _ in range(2):
            model = transpose.load("tp_small")
            assert (model.recipe.name, model.protocol) == ("small", EvalProtocol())
        assert asked == [Path("resources/weights/tp_small.pth"), Path("config/tables/pins/tp_small.json")]

    @pytest.mark.parametrize(
        ("source", "variant", "refusal"),
        [
            ("nowhere", None, "neither a run folder nor a released checkpoint; the released ones are tp_small"),
            ("bone", None, "bone: neither a run folder nor a released checkpoint; the released ones are tp_small"),
            ("config", None, "config/run.json: no such file"),
            ("run/weights.safetensors", None, "is neither a run folder nor a run.json; for weights, give"),
            ("run/weights.safetensors", "other", "weights.safetensors: "),
            ("run/weights.safetensors", "others", "unknown variant 'others'; known are other, small"),
            ("nowhere.safetensors", "small", "nowhere.safetensors: no such file"),
            (None, "small", "variant: small: needs a file of weights"),
        ],
    )
    def test_what_is_no_model_is_one_line(self, source: str | None, variant: str | None, refusal: str) -> None:
        with pytest.raises(InputError) as caught:
            transpose.load(source, variant=variant)
        assert refusal in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_outside_of_a_clone_the_variants_of_the_package_count(
        self, checkout: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (checkout / "elsewhere").mkdir()
        monkeypatch.chdir(checkout / "elsewhere")
        with pytest.raises(InputError, match=r"unknown variant 'others'; known are .*tp_r_a4"):
            transpose.load("weights.safetensors", variant="others")
        with pytest.raises(InputError, match=r"the released ones are .*tp_r_a4"):
            transpose.load("nowhere")

    def test_without_a_table_there_are_no_released_checkpoints(self, checkout: Path) -> None:
        (checkout / "config" / "tables" / "weights.yaml").unlink()
        with pytest.raises(InputError, match=r"no such file: config/tables/weights\.yaml"):
            transpose.load("tp_small")
