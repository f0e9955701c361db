"""The model that is logged to MLflow: images in, poses with named keypoints out."""

import base64
import binascii
from pathlib import Path

from mlflow.pyfunc.model import PythonModel, PythonModelContext
from pydantic import BaseModel, Field

from transpose.data.image_bytes import MAX_PIXELS, decode_limited
from transpose.data.images import read_image_bytes
from transpose.errors import InputError
from transpose.inference.named_poses import NamedPose, named_poses
from transpose.pose_model import PoseModel

RUN = "run"
"""Name of the artifact with the run folder: run.json and the weights."""


class ImageWithBoxes(BaseModel):
    """An image and the boxes of the persons in it."""

    image: bytes | str = Field(
        description="The bytes of an image file; as text their Base64, or the path of a file where the model runs."
    )
    boxes: list[list[float]] | None = Field(
        default=None, description="x, y, width, height in image pixels of each person; null: the whole image."
    )


class ImagePoses(BaseModel):
    """The poses in an image."""

    persons: list[NamedPose] = Field(description="One per box, in the order of the boxes.")


class ServedModel(PythonModel):
    """Predicts poses by the protocol of the training's study."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the weights."""
        self._model = PoseModel.from_run(Path(context.artifacts[RUN]))

    # MLflow derives the signature from these types, and passes no context to a method without one.
    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, model_input: list[ImageWithBoxes]
    ) -> list[ImagePoses]:
        """Predict the poses in images.

        Raises:
            InputError: an image or a box is wrong.
        """
        return [self._predict(one) for one in model_input]

    def _predict(self, one: ImageWithBoxes) -> ImagePoses:
        pixels = decode_limited(encoded_image(one.image), MAX_PIXELS)
        return ImagePoses(persons=named_poses(self._model.predict(pixels, one.boxes)))


def encoded_image(image: bytes | str) -> bytes:
    """Return the bytes of an image file from bytes, Base64 or a path.

    A text with a dot is a path, since Base64 has none.

    Raises:
        InputError: the file cannot be read, or the text is neither.
    """
    if isinstance(image, bytes):
        return image
    if "." in image:
        return read_image_bytes(Path(image))
    try:
        return base64.b64decode(image, validate=True)
    except binascii.Error:
        raise InputError("is neither Base64 nor a path with a suffix", file="image") from None
