"""Speed of a GPU by the way in which steps and predictions run, and AP by dtype: tables for docs/performance.md.

python -m benchmarks.gpu config/variants/tp_r_a3.yaml config/variants/tp_h_s.yaml

Takes about ten minutes, most of it for compiling. The tests that are skipped without a GPU are not part of it.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from tabulate import tabulate

from transpose.benchmark.networks import BenchmarkedNetwork
from transpose.config.load import load_any_variant
from transpose.config.training import DeviceChoice, Dtype, Training
from transpose.cost import synchronise
from transpose.data.boxes import ground_truth_boxes
from transpose.data.coco import load_annotations
from transpose.data.image_source import image_source_of
from transpose.data.loader import EvaluationCrops
from transpose.data.normalise import normalise
from transpose.data.photographs import photographs_folder
from transpose.device import DeviceContext, describe_machine, resolve_device
from transpose.evaluation.dtypes import predict_in_each
from transpose.evaluation.oks import evaluate_keypoints
from transpose.inference.predictions import finish_predictions
from transpose.machine import given_threads
from transpose.model_sources import load
from transpose.models.optimize import optimize_for_inference
from transpose.pose_model import PoseModel
from transpose.replay import calls_until_replayed, graph_capture, replayed
from transpose.skeleton import COCO_PERSON
from transpose.training.distributed import ALONE
from transpose.training.optimiser import build_optimizer, set_learning_rate
from transpose.training.schedule import highest_rate
from transpose.training.step import TrainingStep

_ROUNDS, _STEPS = 5, 10
_DTYPES: tuple[Dtype, ...] = ("fp32", "tf32", "bf16")


@dataclass(frozen=True)
class StepForm:
    """One way to run training steps."""

    name: str
    reads_late: bool = True
    captured: bool = True
    measured_kernels: bool = True
    compiled: bool = False


STEP_FORMS = (
    StepForm("eager, each loss awaited", reads_late=False, captured=False),
    StepForm("eager", captured=False),
    StepForm("one graph, each loss awaited", reads_late=False),
    StepForm("one graph, cuDNN's default kernels", measured_kernels=False),
    StepForm("one graph"),
    StepForm("one graph, compiled", compiled=True),
)


def milliseconds_of_steps(network: BenchmarkedNetwork, dtype: Dtype, form: StepForm) -> float:
    """Return the median time of a training step with the recipe's dropout, in ms."""
    context, training, batch = network.context(dtype, form.compiled), Training(), network.batch()
    batch = batch.pin_memory() if context.pins_memory else batch
    torch.backends.cudnn.benchmark = form.measured_kernels
    model = context.to_device(network.model(training.attention_dropout, training.dropout)).train()
    optimiser = build_optimizer(model, training, context)
    set_learning_rate(optimiser, highest_rate(training.schedule))
    graphs = graph_capture(context) if form.captured else None
    step = TrainingStep(model, network.variant.heatmap_size, COCO_PERSON, training, context, optimiser, ALONE, graphs)

    def steps(number: int) -> None:
        read: Callable[[], float] | None = None
        for _ in range(number):
            latest = context.read_later(step([batch]).loss)
            if form.reads_late and read is not None:
                read()
            elif not form.reads_late:
                latest()
            read = latest
        synchronise(context.device)

    return _median_milliseconds(steps, context)


def milliseconds_of_predictions(network: BenchmarkedNetwork, dtype: Dtype, captured: bool, compiled: bool) -> float:
    """Return the median time of a forward pass of the model optimised for inference, in ms."""
    context = network.context(dtype, compiled)
    formed = optimize_for_inference(network.model(), context)
    images = normalise(context.send(network.crops()))
    forward = replayed(lambda images: [formed(images)], context.device, graph_capture(context) if captured else None)

    @torch.inference_mode()
    def passes(number: int) -> None:
        with context.autocast():
            for _ in range(number):
                forward(images)
        synchronise(context.device)

    return _median_milliseconds(passes, context)


def _median_milliseconds(work: Callable[[int], None], context: DeviceContext) -> float:
    """Return the median time of one of many repetitions; `work` takes their number."""
    work(calls_until_replayed(context) or 1)
    rounds = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        work(_STEPS)
        rounds.append((time.perf_counter() - start) / _STEPS)
    return 1000 * statistics.median(rounds)


def accuracies(device: DeviceChoice, dtypes: Sequence[Dtype]) -> list[tuple[Dtype, float, float]]:
    """Return the packaged model's AP on the packaged photographs in each dtype, from 0 to 100, and the median shift.

    The shift is the distance of keypoints from those in the first dtype, in image pixels.
    """
    model = load(device=device)
    annotations = load_annotations(photographs_folder() / "annotations.json", model.skeleton)
    boxes = ground_truth_boxes(annotations)
    crops = EvaluationCrops(boxes, annotations, image_source_of(annotations.source), model.variant.input_size)
    models: dict[Dtype, PoseModel] = {
        dtype: replace(model, context=resolve_device(device, dtype, None)) for dtype in dtypes
    }
    computed = predict_in_each(models, model.batches(crops))
    exact = computed[dtypes[0]].predictions.keypoints_xy
    rows: list[tuple[Dtype, float, float]] = []
    for dtype, one in computed.items():
        results = finish_predictions(one.predictions, boxes, model.protocol, model.skeleton)
        shifts = np.linalg.norm(one.predictions.keypoints_xy - exact, axis=2)
        ap = evaluate_keypoints(annotations, results, model.skeleton).statistics["AP"]
        rows.append((dtype, 100 * ap, float(np.median(shifts))))
    return rows


def step_rows(networks: Sequence[BenchmarkedNetwork], forms: Sequence[StepForm]) -> Iterator[tuple[object, ...]]:
    """Yield a row for each network and dtype: ms of a training step in each form."""
    for network in networks:
        for dtype in _DTYPES:
            times = (milliseconds_of_steps(network, dtype, form) for form in forms)
            yield network.variant.title, dtype, network.batch_size, *times


def prediction_rows(networks: Sequence[BenchmarkedNetwork]) -> Iterator[tuple[object, ...]]:
    """Yield a row for each network and dtype: ms of a forward pass, eager, as a graph, and as a graph and compiled."""
    for network in networks:
        for dtype in _DTYPES:
            forms = ((False, False), (True, False), (True, True))
            times = (milliseconds_of_predictions(network, dtype, *form) for form in forms)
            yield network.variant.title, dtype, network.batch_size, *times


def main(
    variants: Annotated[list[Path], typer.Argument(help="Variant files.")],
    batch_size: Annotated[int, typer.Option(help="Crops of a training step and of the larger forward pass.")] = 16,
    device: Annotated[str, typer.Option(help="cuda; cpu only shows that the command works.")] = "cuda",
) -> None:
    """Print the machine and three tables."""
    chosen = [load_any_variant(path) for path in variants]
    networks = {
        size: [BenchmarkedNetwork(variant, size, device, given_threads()) for variant in chosen]
        for size in (1, batch_size)
    }
    where = resolve_device(device, "fp32", None).device
    print(", ".join(f"{name} {value}" for name, value in describe_machine(where).items()), flush=True)
    _print(accuracies("cuda" if where.type == "cuda" else "cpu", _DTYPES), ["dtype", "AP", "median shift, pixels"])
    names = ["variant", "dtype", "batch"]
    predictions = [row for size in sorted(networks) for row in prediction_rows(networks[size])]
    _print(predictions, [*names, "forward pass, ms: eager", "one graph", "one graph, compiled"])
    # On a CPU no training compiles its steps.
    forms = [form for form in STEP_FORMS if where.type == "cuda" or not form.compiled]
    steps = list(step_rows(networks[batch_size], forms))
    _print(steps, [*names, f"training step, ms: {forms[0].name}", *(form.name for form in forms[1:])])


def _print(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> None:
    print(tabulate(rows, headers, tablefmt="pipe", floatfmt=".3g"), end="\n\n", flush=True)


if __name__ == "__main__":
    typer.run(main)
