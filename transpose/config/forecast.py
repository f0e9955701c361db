"""Assumptions of a study's cost forecast; they do not affect results."""

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from transpose.config.base import Name, Settings


class ForecastSettings(Settings):
    """Assumptions for time, memory and disk. Set the speed to that of your GPU; a CPU's is measured."""

    training_tflops: PositiveFloat = Field(
        default=1.8,
        description="Sustained TFLOP/s of a GPU while training. The default is a Tesla P100's: the authors of HRNet"
        " needed 50 to 60 hours on four for 210 epochs of HRNet-W32 on COCO (their repository, issue 3).",
    )
    inference_tflops: PositiveFloat = Field(
        default=1.6,
        description="Sustained TFLOP/s of a GPU in forward passes. The default is an RTX 2080 Ti's at batch 1: the 38"
        " images/s that the official TransPose repository states for TransPose-H-A6.",
    )
    backward_passes: PositiveFloat = Field(
        default=2.0,
        description="Work of a backward pass in forward passes: each product has a gradient for its inputs and one for"
        " its weights.",
    )
    start_seconds: NonNegativeFloat = Field(
        default=3.0,
        description="Start of a training or prediction: Python, libraries and the model; measured with the demo.",
    )
    state_bytes_per_parameter: PositiveInt = Field(
        default=16, description="Weight, gradient and Adam's two moments during training, in fp32."
    )
    overhead_bytes: NonNegativeInt = Field(
        default=1 << 30,
        description="GPU memory for CUDA's context, cuDNN's workspaces and the gradients of the current layer; a"
        " rough value that was not measured.",
    )
    rendered_persons_per_image: PositiveFloat = Field(
        default=1.79,
        description="Labelled persons in a rendered image, used until annotations exist; from the 8,950 persons in"
        " 5,000 images that the packaged backbones were trained on.",
    )
    persons: dict[Name, dict[Name, PositiveInt]] = Field(
        default={"coco": {"train2017": 149_813, "val2017": 6_352}},
        description="Labelled persons by data set and split; otherwise counted in the annotations, if these exist. The"
        " defaults are those of the official data loader (issue 33 of Pose2Seg, issue 16 of TransPose).",
    )
    detections: dict[Name, dict[Name, PositiveInt]] = Field(
        default={"coco": {"val2017": 104_125}},
        description="Detected boxes by data set and split; otherwise counted in the detection file, if it exists. The"
        " default is the number in the published file with person AP 56.4.",
    )
    unpacked_ratio: PositiveFloat = Field(
        default=1.0, description="Ratio of unpacked size to archive size; images are compressed already."
    )
    checkpoint_bytes_per_parameter: PositiveInt = Field(
        default=32,
        description="Two checkpoints of weights, best weights and Adam's two moments, removed after the training.",
    )
    weights_bytes_per_parameter: PositiveInt = Field(
        default=12, description="Best and last weights, and the model in MLflow, in fp32."
    )
    bytes_per_prediction: PositiveInt = Field(
        default=1_085, description="A person with 17 keypoints in a file of predictions; measured on random persons."
    )
