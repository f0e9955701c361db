"""Training settings of a variant."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from transpose.config.base import PathText, Settings

Probability = Annotated[float, Field(ge=0, le=1)]

DeviceChoice = Literal["auto", "cpu", "cuda", "mps"]
"""`auto` takes CUDA, then MPS, then the CPU."""

Dtype = Literal["fp32", "tf32", "bf16", "fp16"]
"""Precision of a network.

tf32 is fp32 with the factors of products and convolutions rounded to 10 bits on an NVIDIA GPU, and fp32 elsewhere. fp16
is for predictions only, because there is no loss scaling.
"""

STARTING_WEIGHTS = ("backbone_weights", "initial_weights")
"""Keys of starting weights, which exclude each other: of a pretrained backbone, or of a whole model."""

REFERENCE_BATCH = 20
"""Global batch size to which the schedule's rates refer: that of the official TransPose-R-A4, at 1e-4."""


def check_one_start(backbone_weights: str | None, initial_weights: str | None) -> None:
    """Refuse two kinds of starting weights.

    Raises:
        ValueError: both are set.
    """
    if initial_weights is not None and backbone_weights is not None:
        raise ValueError("initial_weights are those of a whole model; set backbone_weights to null")


def without_replaced_weights(general: Mapping[str, Any], specific: Mapping[str, Any]) -> dict[str, Any]:
    """Return `general`, without its starting weights if `specific` sets a path of either kind."""
    replaced = STARTING_WEIGHTS if any(specific.get(key) is not None for key in STARTING_WEIGHTS) else ()
    return {key: value for key, value in general.items() if key not in replaced}


class Augmentation(Settings):
    """Geometric augmentation of a person crop; the defaults are the official recipe's."""

    half_body_probability: Probability = Field(
        default=0.3,
        description="Chance to crop to the upper or lower body, for persons with enough labelled keypoints.",
    )
    half_body_keypoints: NonNegativeInt = Field(
        default=8, description="Half-body crops need more labelled keypoints than this."
    )
    scale_factor: NonNegativeFloat = Field(
        default=0.35, lt=1, description="Standard deviation and limit of the random scale around 1."
    )
    rotation_probability: Probability = 0.6
    rotation_factor: NonNegativeFloat = Field(
        default=45.0, description="Standard deviation of the rotation in degrees; its limit is twice this."
    )
    flip_probability: Probability = 0.5


class CosineSchedule(Settings):
    """Per-epoch cosine from `start` to `end`, the official schedule."""

    kind: Literal["cosine"] = "cosine"
    start: PositiveFloat = 1e-4
    end: NonNegativeFloat = 1e-5


class OneCycleSchedule(Settings):
    """Per-step linear warm-up to `peak`, then a cosine to zero (Smith and Topin, 2017): for short runs."""

    kind: Literal["one_cycle"]
    peak: PositiveFloat = 2e-3
    warmup: Probability = Field(default=0.2, description="Share of warm-up steps.")


class Training(Settings):
    """The training recipe; the defaults are the official one (paper, section 4.1)."""

    source: Literal["trained", "official"] = Field(
        default="trained",
        description="trained trains the variant; official evaluates the authors' released checkpoint.",
    )
    epochs: PositiveInt = 230
    batch_size: PositiveInt = Field(
        default=20,
        description="Persons of a process at a time; a step has `gpus` x `batch_size` x `accumulate_grad_batches`.",
    )
    accumulate_grad_batches: PositiveInt = Field(
        default=1, description="Batches of each process whose gradients are summed for one step, to save memory."
    )
    sync_batch_norm: bool = Field(
        default=False,
        description="Compute BatchNorm over the batches of all processes; needs several GPUs.",
    )
    schedule: Annotated[CosineSchedule | OneCycleSchedule, Field(discriminator="kind")] = CosineSchedule()
    linear_scaling: bool = Field(
        default=False,
        description="Multiply the schedule's rates by the global batch over 20 (Goyal et al., 2017).",
    )
    sigma: PositiveFloat = Field(
        default=2.0, description="Standard deviation of the target Gaussian in heatmap pixels."
    )
    joint_weights: bool = Field(
        default=False,
        description="Weight keypoints in the loss by the skeleton's joint_weights; the official recipe does not.",
    )
    dropout: Probability = Field(default=0.1, description="After attention and in the feed-forward block.")
    attention_dropout: Probability = Field(
        default=0.1,
        description="Inside attention, in steps of 2^-16 on a CPU, where only 0 allows the faster fused kernel.",
    )
    augmentation: Augmentation = Augmentation()
    initialisation: Literal["official", "kaiming"] = Field(
        default="official",
        description="Of layers without pretrained weights: N(0, 0.001) convolutions, or Kaiming-normal ones, for"
        " training from scratch.",
    )
    backbone_weights: PathText | None = Field(
        default=None,
        description="Path of pretrained backbone weights; null trains from scratch. If omitted, that of"
        " the variant's file is used.",
    )
    initial_weights: PathText | None = Field(
        default=None,
        description="Path of weights of this variant to fine-tune, trained for any keypoints and input size; the last"
        " layer is kept if the file names the same keypoints, and else replaced by a new one. If omitted, that of the"
        " variant's file is used.",
    )
    pretrained_rate_factor: PositiveFloat = Field(
        default=1.0, description="Factor on the learning rate of parameters loaded from initial_weights."
    )
    freeze_backbone: bool = Field(
        default=False,
        description="Keep the backbone's starting weights and BatchNorm statistics, and train the layers after it.",
    )
    validation_interval: PositiveInt = Field(
        default=1, description="Epochs between validations; the last epoch is always validated."
    )
    dtype: Literal["fp32", "tf32", "bf16"] = Field(
        default="fp32",
        description="tf32 rounds the factors of fp32 products and convolutions to 10 bits on an NVIDIA GPU, and is fp32"
        " elsewhere; bf16 runs the network under autocast.",
    )
    compile: bool = Field(
        default=False,
        description="Compile the network of training steps on an NVIDIA GPU, which needs Triton; no effect elsewhere:"
        " on a CPU it gained nothing.",
    )
    device: DeviceChoice = Field(default="auto", description="auto takes CUDA, then MPS, then the CPU.")
    gpus: PositiveInt = Field(
        default=1,
        description="Processes that train one model together, each on its own GPU; without a GPU, on the CPU.",
    )
    threads: PositiveInt | None = Field(
        default=None,
        description="CPU threads of a training process; the exact weights depend on it. null takes those that the job"
        " is given.",
    )
    workers: NonNegativeInt = Field(
        default=1,
        description="Data loading processes for each training process; the samples do not depend on it.",
    )

    image_cache_gb: NonNegativeFloat = Field(
        default=0.0,
        description="Disk cache of decoded training images, next to their annotations, in GB; the samples do not depend"
        " on it.",
    )

    @property
    def parallel_batch(self) -> int:
        """Persons of all processes at a time."""
        return self.gpus * self.batch_size

    @property
    def global_batch(self) -> int:
        """Persons per step of all processes together."""
        return self.parallel_batch * self.accumulate_grad_batches

    @property
    def learning_rate_factor(self) -> float:
        """Factor on the schedule's rates from linear scaling."""
        return self.global_batch / REFERENCE_BATCH if self.linear_scaling else 1.0

    @model_validator(mode="after")
    def _starts_from_one_place(self) -> "Training":
        check_one_start(self.backbone_weights, self.initial_weights)
        if self.initial_weights is None and self.pretrained_rate_factor != 1:
            raise ValueError("pretrained_rate_factor has no effect without initial_weights")
        if self.freeze_backbone and self.initial_weights is None and self.backbone_weights is None:
            raise ValueError("freeze_backbone needs backbone_weights or initial_weights")
        return self

    @model_validator(mode="after")
    def _synchronises_several_processes(self) -> "Training":
        if self.sync_batch_norm and self.gpus == 1:
            raise ValueError("sync_batch_norm has no effect with gpus: 1")
        if self.sync_batch_norm and self.compile:
            raise ValueError("sync_batch_norm cannot be combined with compile")
        return self
