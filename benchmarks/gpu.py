"""Speed of a GPU by the way in which steps and predictions run, and AP by dtype, for docs/performance.md.

python -m benchmarks.gpu config/variants/tp_r_a3.yaml config/variants/tp_h_s.yaml

Meant to take about ten minutes, most of it for compiling and the start of processes; not yet run on a GPU.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import numpy as np
import torch
import typer

from transpose.benchmark.networks import BenchmarkedNetwork, own_pass, own_step
from transpose.benchmark.worker import Work, Worker
from transpose.config.load import load_any_variant
from transpose.config.training import DeviceChoice, Dtype, Training
from transpose.cost import synchronise
from transpose.data.boxes import ground_truth_boxes
from transpose.data.coco import load_annotations
from transpose.data.image_source import image_source_of
from transpose.data.loader import EvaluationCrops
from transpose.data.photographs import photographs_folder
from transpose.device import describe_machine, resolve_device
from transpose.evaluation.dtypes import predict_in_each
from transpose.evaluation.oks import evaluate_keypoints
from transpose.inference.predictions import finish_predictions
from transpose.model_sources import load
from transpose.pose_model import PoseModel
from transpose.replay import graph_capture
from transpose.timing import seconds_of

_ROUNDS = 5
REPEATS = 10
"""More than the calls after which work is replayed."""


@dataclass(frozen=True)
class PassForm:
    """One way to run forward passes of a model optimised for inference."""

    name: str
    dtype: Dtype = "bf16"
    captured: bool = True
    compiled: bool = False


PASS_FORMS = (
    PassForm("fp32, graph", "fp32"),
    PassForm("tf32, graph", "tf32"),
    PassForm("bf16, eager", captured=False),
    PassForm("bf16, graph"),
    PassForm("bf16, graph, compiled", compiled=True),
)


@dataclass(frozen=True)
class StepForm(PassForm):
    """One way to run training steps."""

    reads_late: bool = True
    measures_kernels: bool = True


STEP_FORMS = (
    StepForm("fp32, one graph", "fp32"),
    StepForm("tf32, one graph", "tf32"),
    StepForm("bf16, eager, each loss awaited", reads_late=False, captured=False),
    StepForm("bf16, eager", captured=False),
    StepForm("bf16, one graph, each loss awaited", reads_late=False),
    StepForm("bf16, one graph, cuDNN's default kernels", measures_kernels=False),
    StepForm("bf16, one graph"),
    StepForm("bf16, one graph, compiled", compiled=True),
)


def training_steps(network: BenchmarkedNetwork, form: StepForm) -> Work:
    """Return `REPEATS` training steps with the recipe's dropout."""
    context = network.context(form.dtype, form.compiled)
    torch.backends.cudnn.benchmark = form.measures_kernels
    graphs = graph_capture(context) if form.captured else None
    step = own_step(network, context, Training().attention_dropout, graphs)

    def steps() -> None:
        unread: Callable[[], float] | None = None
        for _ in range(REPEATS):
            latest = context.read_later(step())
            if not form.reads_late:
                latest()
            elif unread is not None:
                unread()
            unread = latest
        synchronise(context.device)

    steps()
    return steps


def forward_passes(network: BenchmarkedNetwork, form: PassForm) -> Work:
    """Return `REPEATS` forward passes."""
    context = network.context(form.dtype, form.compiled)
    forward = own_pass(network, context, graph_capture(context) if form.captured else None)

    def passes() -> None:
        for _ in range(REPEATS):
            forward()
        synchronise(context.device)

    passes()
    return passes


def milliseconds_of_one(prepare: Callable[[], Work]) -> float:
    """Return the median time of one of `REPEATS` repetitions, run in a process of its own, in ms.

    A process keeps the kernels that were chosen for an earlier form, and memory.
    """
    with Worker(prepare) as worker:
        return 1000 * statistics.median(seconds_of(worker.run) for _ in range(_ROUNDS)) / REPEATS


def accuracies(device: DeviceChoice, dtypes: Sequence[Dtype]) -> list[tuple[Dtype, float, float]]:
    """Return the packaged model's AP on the packaged photographs in each dtype, from 0 to 100, and the median shift.

    The shift is the distance of keypoints from those in the first dtype, in image pixels.
    """
    model = load(device=device)
    recipe, skeleton, protocol = model.recipe, model.skeleton, model.protocol
    annotations = load_annotations(photographs_folder() / "annotations.json", skeleton)
    boxes = ground_truth_boxes(annotations)
    crops = EvaluationCrops(boxes, annotations, image_source_of(annotations.source), model.variant.input_size)
    models: dict[Dtype, PoseModel] = {
        dtype: PoseModel.from_weights(recipe, model.weights, skeleton, protocol, dtype=dtype) for dtype in dtypes
    }
    computed = predict_in_each(models, model.batches(crops))
    exact = computed[dtypes[0]].predictions.keypoints_xy
    rows: list[tuple[Dtype, float, float]] = []
    for dtype, one in computed.items():
        results = finish_predictions(one.predictions, boxes, protocol, skeleton)
        shifts = np.linalg.norm(one.predictions.keypoints_xy - exact, axis=2)
        ap = evaluate_keypoints(annotations, results, skeleton).statistics["AP"]
        rows.append((dtype, 100 * ap, float(np.median(shifts))))
    return rows


def main(
    variants: Annotated[list[Path], typer.Argument(help="Variant files.")],
    batch_size: Annotated[int, typer.Option(help="Crops of a training step and of the larger forward pass.")] = 16,
    device: Annotated[Literal["cuda", "cpu"], typer.Option(help="cpu only shows that the command works.")] = "cuda",
) -> None:
    """Print the machine, AP by dtype, and the times of forward passes and training steps, each as it is measured."""
    where = resolve_device(device, "fp32", None)
    print("\n".join(f"{name}: {value}" for name, value in describe_machine(where.device).items()), flush=True)
    for dtype, ap, shift in accuracies(device, ("fp32", "tf32", "bf16")):
        print(f"{dtype}: AP {ap:.2f}, median shift of keypoints {shift:.3f} pixels", flush=True)
    # On a CPU no training compiles its steps.
    step_forms = [form for form in STEP_FORMS if device == "cuda" or not form.compiled]
    for variant in map(load_any_variant, variants):
        for size in sorted({1, batch_size}):
            network = BenchmarkedNetwork(variant, size, device, where.threads)
            _print_times("forward pass", network, forward_passes, PASS_FORMS)
        network = BenchmarkedNetwork(variant, batch_size, device, where.threads)
        _print_times("training step", network, training_steps, step_forms)


Form = TypeVar("Form", bound=PassForm)


def _print_times(
    what: str, network: BenchmarkedNetwork, prepare: Callable[[BenchmarkedNetwork, Form], Work], forms: Sequence[Form]
) -> None:
    for form in forms:
        milliseconds = milliseconds_of_one(partial(prepare, network, form))
        title = f"{network.variant.title}, batch {network.batch_size}, {what}"
        print(f"{title}, {form.name}: {milliseconds:.3g} ms", flush=True)


if __name__ == "__main__":
    typer.run(main)
