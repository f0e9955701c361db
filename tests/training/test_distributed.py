"""Several processes train one model: what each of them computes, and how they agree."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from tests.helpers.small_variants import small_variant
from tests.training.processes import WithoutPort, in_processes, results_of
from transpose.codec.encode import gaussian_heatmaps
from transpose.config.training import Augmentation, OneCycleSchedule, Training
from transpose.data.coco import load_annotations
from transpose.data.loader import TrainingSamples
from transpose.data.normalise import normalise
from transpose.data.workers import load_batches, share
from transpose.device import DeviceContext, resolve_device
from transpose.errors import InputError
from transpose.models.initialise import initialise
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.skeleton import COCO_PERSON
from transpose.training.checkpoint import CheckpointStore
from transpose.training.distributed import (
    ALONE,
    LostProcessError,
    ProcessGroup,
    check_devices,
    check_own_devices,
    connect,
    joined,
)
from transpose.training.loop import TrainingRun
from transpose.training.loss import heatmap_loss

CPU = DeviceContext(torch.device("cpu"), "fp32", 1)
NO_STEP = OneCycleSchedule(kind="one_cycle", peak=1e-30)
"""Weights stay as they are, so that gradients of any step can be compared."""


class Silent:
    """An observer that needs to know nothing."""

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None: ...

    def epoch(self, record: dict[str, Any]) -> None: ...


def samples_of(folder: Path) -> TrainingSamples:
    annotations = load_annotations(folder / "annotations.json", COCO_PERSON)
    variant = small_variant("resnet")
    sizes = variant.input_size, variant.heatmap_size
    return TrainingSamples(annotations, folder / "images", COCO_PERSON, *sizes, Augmentation(), seed=0)


def new_model() -> TransPose:
    torch.manual_seed(0)
    model = build_model(small_variant("resnet"), len(COCO_PERSON), dropout=0, attention_dropout=0)
    initialise(model, "kaiming", pretrained_backbone=False)
    return model


def train_an_epoch(
    group: ProcessGroup, folder: Path, batch_size: int, batch_norm_learns: bool, accumulate: int = 1
) -> tuple[dict[str, Tensor], dict[str, Tensor], float]:
    """Gradients of the last step, buffers, and the loss of the epoch."""
    torch.set_num_threads(1)
    model = new_model().eval()
    if not batch_norm_learns:
        model.train = lambda mode=True: model
    training = Training(
        epochs=1,
        batch_size=batch_size,
        accumulate_grad_batches=accumulate,
        gpus=group.size,
        schedule=NO_STEP,
        dropout=0,
        device="cpu",
        workers=0,
    )
    store = CheckpointStore(folder / f"checkpoints{group.size}_{accumulate}")
    run = TrainingRun(model, samples_of(folder), training, 0, CPU, store, {}, lambda *_: {"AP": 0.0}, group)
    loss = run.run(Silent()).history[0]["loss"]
    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    group.share_buffers(model)
    return gradients, dict(model.named_buffers()), loss


@pytest.mark.parametrize(("processes", "batch_size"), [(2, 1), (2, 2), (3, 1)])
def test_gradients_are_those_of_one_process_with_the_same_batch(
    tiny_dataset: Path, processes: int, batch_size: int
) -> None:
    # Three processes share four persons: in the last step two of them have none.
    expected, _, loss = train_an_epoch(ALONE, tiny_dataset, processes * batch_size, False)
    assert any(gradient.abs().max() > 1e-3 for gradient in expected.values())
    for gradients, _, shared_loss in results_of(processes, train_an_epoch, tiny_dataset, batch_size, False):
        assert gradients.keys() == expected.keys()
        assert shared_loss == pytest.approx(loss, abs=1e-6)
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("batch_size", "accumulate"), [(1, 4), (1, 3), (3, 2)])
def test_accumulated_gradients_are_those_of_one_batch(tiny_dataset: Path, batch_size: int, accumulate: int) -> None:
    # Four persons: the last step, or its last batch, is smaller.
    expected, _, loss = train_an_epoch(ALONE, tiny_dataset, batch_size * accumulate, False)
    gradients, _, accumulated_loss = train_an_epoch(ALONE, tiny_dataset, batch_size, False, accumulate)
    assert accumulated_loss == pytest.approx(loss, abs=1e-6)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-5, atol=1e-5)


def test_processes_accumulate_the_gradients_of_their_shares(tiny_dataset: Path) -> None:
    expected, _, loss = train_an_epoch(ALONE, tiny_dataset, 6, False)
    # Batches of three persons and of one, which two processes have no part of.
    for gradients, _, shared_loss in results_of(3, train_an_epoch, tiny_dataset, 1, False, 2):
        assert shared_loss == pytest.approx(loss, abs=1e-6)
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-5, atol=1e-5)


def test_batch_norm_goes_by_the_persons_of_each_process_and_keeps_the_leaders(tiny_dataset: Path) -> None:
    """One process computes the shares in turn: 3 of 4 persons would be unequal, so a batch of 3 and one of 1."""
    samples = samples_of(tiny_dataset)
    expected, statistics = {}, {}
    for rank in range(2):
        model = new_model().train()
        batch = samples.batch(0, share(samples.order(0), rank, 2))
        targets, weights = gaussian_heatmaps(batch.keypoints, batch.visible, samples.heatmap_size, 2.0)
        model = CPU.to_device(model)
        heatmap_loss(model(normalise(batch.crops)), targets, weights).backward()
        for name, weight in model.named_parameters():
            assert weight.grad is not None
            expected[name] = expected.get(name, 0) + weight.grad / 2
        statistics = statistics or {name: buffer.clone() for name, buffer in model.named_buffers()}
    for gradients, buffers, _ in results_of(2, train_an_epoch, tiny_dataset, 2, True):
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-5, atol=1e-6)
        for name, buffer in buffers.items():
            torch.testing.assert_close(buffer, statistics[name])


def average_unequal_shares(group: ProcessGroup) -> tuple[Tensor, Tensor]:
    weight = nn.Parameter(torch.zeros(2, 3))
    if group.is_main:
        weight.grad = torch.full((2, 3), 4.0)
    parameters = [weight, nn.Parameter(torch.zeros(1), requires_grad=False)]
    loss, share = (8.0, 0.75) if group.is_main else (4.0, 0.25)
    mean = group.average_gradients(parameters, torch.tensor(loss), share)
    assert weight.grad is not None
    return weight.grad, mean


def test_a_process_without_gradients_counts_as_zero() -> None:
    for gradient, loss in results_of(2, average_unequal_shares):
        assert torch.equal(gradient, torch.full((2, 3), 3.0))
        assert loss == 7.0


def fail_in_second(group: ProcessGroup) -> str:
    def work() -> str:
        if not group.is_main:
            raise InputError("is wrong", file="file", record=group.rank, field="field")
        return "fine"

    return group.raise_together(work)


def test_what_one_process_meets_all_of_them_raise() -> None:
    errors = [future.exception() for future in in_processes(3, fail_in_second)]
    assert [str(error) for error in errors] == ["file: 1: field: is wrong"] * 3
    assert all(isinstance(error, InputError) for error in errors)


def leave_early(group: ProcessGroup) -> None:
    if not group.is_main:
        group.wait()


def test_a_lost_process_is_reported_and_not_waited_for() -> None:
    _, other = in_processes(2, leave_early)
    with pytest.raises(LostProcessError, match=r"another process of this training has ended \("):
        other.result()


def do_not_answer(group: ProcessGroup, silent: int) -> None:
    # Starting may take longer than the time limit of the exchange.
    dist.distributed_c10d._set_pg_timeout(timedelta(seconds=1), dist.group.WORLD)
    if group.rank != silent:
        group.wait()
    assert group.store is not None
    others = [f"gave_up/{rank}" for rank in range(group.size) if rank != silent]
    group.store.wait(others, timedelta(seconds=300))


def test_a_process_that_does_not_answer_is_named() -> None:
    silent, *others = in_processes(3, do_not_answer, 0)
    assert silent.exception() is None
    for error in (future.exception() for future in others):
        assert isinstance(error, LostProcessError)
        assert str(error).startswith("process 0 of 3 (counted from 0) did not answer for 600 s; run the same command")
        assert error.reporter == 1


def test_a_missing_process_is_one_line_at_the_start(tmp_path: Path) -> None:
    place = WithoutPort(0, 2, 0, str(tmp_path / "store"), 0)
    with pytest.raises(InputError, match=r"^training\.gpus: 2: these processes did not all connect within 1 s \("):
        connect(place, "gloo", timedelta(seconds=1))


def take_lock(group: ProcessGroup, folder: Path) -> list[int]:
    from transpose.files import folder_lock

    with group.on_main(folder_lock(folder)):
        return group.gather(group.rank)


def test_the_leader_locks_for_all(tmp_path: Path) -> None:
    from transpose.files import folder_lock

    assert results_of(2, take_lock, tmp_path) == [[0, 1], [0, 1]]
    with folder_lock(tmp_path):
        errors = [future.exception() for future in in_processes(2, take_lock, tmp_path)]
    assert all("another process is working" in str(error) for error in errors)


def test_shares_of_a_batch_make_the_batch(tiny_dataset: Path) -> None:
    samples = samples_of(tiny_dataset)
    whole = samples.batch(1, samples.order(1))
    parts = [samples.batch(1, share(samples.order(1), rank, 5)) for rank in range(5)]
    assert [len(part.index) for part in parts] == [1, 1, 1, 1, 0]
    assert np.array_equal(np.concatenate([part.index for part in parts]), whole.index)
    for field in ("crops", "keypoints", "visible"):
        assert torch.equal(torch.cat([getattr(part, field) for part in parts]), getattr(whole, field))


def test_alone_nothing_is_shared() -> None:
    with joined(1, CPU) as group:
        assert group is ALONE
    assert ALONE.gather("x") == ["x"]
    assert ALONE.gather_numbers(1, 2.5) == [[1, 2.5]]
    assert not torch.distributed.is_initialized()


def test_another_number_of_processes_than_the_recipes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        pytest.raises(InputError, match=r"^training\.gpus: 2: but the number of processes started is 1$"),
        joined(2, CPU),
    ):
        pass
    started = {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "4", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "7"}
    for name, value in (started | {"SLURM_STEP_ID": "0", "SLURM_STEP_NODELIST": "node"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="processes started is 4"), joined(1, CPU):
        pass


def test_fewer_gpus_than_asked_for_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_devices(2, DeviceContext(torch.device("cuda"), "fp32", 1))
    with pytest.raises(InputError, match=r"^training\.gpus: 4: this machine has only 2"):
        check_devices(4, DeviceContext(torch.device("cuda"), "fp32", 1))
    with pytest.raises(InputError, match="this machine has only 1"):
        check_devices(2, DeviceContext(torch.device("mps"), "fp32", 1))
    check_devices(64, resolve_device("cpu", "fp32", 1))


def test_two_processes_on_one_gpu_are_refused() -> None:
    errors = [future.exception() for future in in_processes(3, check_own_devices, ("node", "GPU-1"))]
    problem = "processes 0 and 1 have the same GPU; start one process for each GPU"
    assert [str(error) for error in errors] == [f"training.gpus: 3: {problem}"] * 3


def parent(_: np.ndarray) -> int:
    return os.getppid()


def is_parent_of_its_loaders(group: ProcessGroup) -> bool:
    return list(load_batches(parent, [np.array([1])], workers=1)) == [os.getpid()]


def test_loading_processes_are_not_forked_next_to_the_threads_of_a_group() -> None:
    """Forked ones hung in CPython's start, within ten epochs of a training in two processes (CPython issue 112275)."""
    assert results_of(2, is_parent_of_its_loaders) == [False, False]
