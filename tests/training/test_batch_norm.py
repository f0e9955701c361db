"""Synchronised BatchNorm: what is replaced, and what is refused. Running it takes several GPUs."""

from typing import Any

import pytest
import torch
from torch import nn

from tests.helpers.small_variants import small_model
from tests.training.test_run import recipe
from transpose.config.training import Training
from transpose.device import DeviceContext
from transpose.errors import InputError
from transpose.training.batch_norm import synchronised

GPU, CPU = (DeviceContext(torch.device(kind), "fp32", 1) for kind in ("cuda", "cpu"))


def training(**settings: Any) -> Training:
    return recipe(gpus=4, sync_batch_norm=True, **settings).training


def test_all_batch_norms_are_replaced_and_keep_names_and_weights() -> None:
    model = small_model("resnet")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    after = synchronised(model, training(), 8, GPU)
    kinds = {type(module) for module in after.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)}
    assert kinds == {nn.SyncBatchNorm}
    assert list(after.state_dict()) == list(before)
    assert all(torch.equal(tensor, before[name]) for name, tensor in after.state_dict().items())


def test_a_cpu_is_refused() -> None:
    with pytest.raises(InputError, match=r"^training\.sync_batch_norm: needs GPUs, .*; this runs on cpu$"):
        synchronised(small_model("resnet"), training(), 8, CPU)


@pytest.mark.parametrize("persons", [9, 11])
def test_processes_without_a_person_are_refused(persons: int) -> None:
    with pytest.raises(InputError, match=rf"last batch has {persons - 8} of {persons} persons for 4 processes; change"):
        synchronised(small_model("resnet"), training(), persons, GPU)
    synchronised(small_model("resnet"), training(), 12, GPU)


def test_it_takes_several_processes() -> None:
    with pytest.raises(ValueError, match="sync_batch_norm has no effect with gpus: 1"):
        recipe(sync_batch_norm=True)
