"""BatchNorm over the batches of all processes of a training."""

from torch import nn

from transpose.config.training import Training
from transpose.device import DeviceContext
from transpose.errors import InputError
from transpose.models.transpose import TransPose

_KEY = "training.sync_batch_norm"


def synchronised(model: TransPose, training: Training, persons: int, context: DeviceContext) -> TransPose:
    """Return the model with each BatchNorm replaced by a SyncBatchNorm with the same name and weights.

    Args:
        model: not yet on its device.
        persons: persons per epoch.

    Raises:
        InputError: the device is not a GPU, or a process would have no person in an epoch's last batch. All processes
            must then communicate within the network.
    """
    if context.device.type != "cuda":
        problem = f"needs GPUs, since PyTorch synchronises BatchNorm on CUDA only; this runs on {context.device.type}"
        raise InputError(problem, file=_KEY)
    last = persons % training.parallel_batch
    if 0 < last < training.gpus:
        problem = f"an epoch's last batch has {last} of {persons} persons for {training.gpus} processes"
        raise InputError(f"{problem}; change training.batch_size by one", file=_KEY)
    # In place, since the model itself is no BatchNorm.
    nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return model
