"""The server's answers."""

import numpy as np
from pydantic import BaseModel, Field

from transpose.attention.maps.grid import Grid
from transpose.files import sha256_of_file
from transpose.geometry import box_to_center_scale, crop_affines
from transpose.inference.named_poses import NamedPose, named_poses
from transpose.inference.poses import Poses
from transpose.pose_model import PoseModel

_DECIMALS = 3


class Prediction(BaseModel):
    """Answer of `POST /predict`."""

    persons: list[NamedPose] = Field(description="One per box, in the order of the boxes.")


class CellGrid(BaseModel):
    """The cells of an attention map in the image; the cells are squares."""

    rows: int
    columns: int
    x: float = Field(description="Centre of the first cell, image pixels.")
    y: float = Field(description="Centre of the first cell, image pixels.")
    side: float = Field(description="Side of a cell, image pixels.")


class ExplainedPose(NamedPose):
    """A pose with the attention of its keypoints, in multiples of uniform attention."""

    grid: CellGrid
    dependency: dict[str, list[list[float]]] = Field(
        description="Per keypoint, [rows][columns]: attention from the keypoint's cell to each cell."
    )
    affected: dict[str, list[list[float]]] = Field(
        description="Per keypoint, [rows][columns]: attention from each cell to the keypoint's cell."
    )


class Explanation(BaseModel):
    """Answer of `POST /explain`."""

    persons: list[ExplainedPose] = Field(description="One per box, in the order of the boxes.")


class ModelCard(BaseModel):
    """Answer of `GET /model`."""

    name: str
    title: str
    weights_sha256: str
    keypoints: list[str] = Field(description="Names, in the order of the annotations.")
    limbs: list[tuple[str, str]] = Field(description="Pairs of keypoints to connect in a drawing.")
    input_size: tuple[int, int] = Field(description="Height and width of a crop.")
    keypoint_threshold: float = Field(description="Keypoints with a lower score are not drawn.")
    encoder_layers: int = Field(description="0 for a model without attention, which cannot be explained.")


class Health(BaseModel):
    """Answer of `GET /health`."""

    status: str


class Problem(BaseModel):
    """Answer to a request that is refused."""

    error: str = Field(description="One line.")


def model_card(model: PoseModel) -> ModelCard:
    """Describe a model."""
    encoder = model.variant.encoder
    return ModelCard(
        name=model.recipe.name,
        title=model.variant.title,
        weights_sha256=sha256_of_file(model.weights),
        keypoints=list(model.skeleton.keypoints),
        limbs=list(model.skeleton.limbs),
        input_size=model.variant.input_size,
        keypoint_threshold=model.protocol.keypoint_threshold,
        encoder_layers=encoder.layers if encoder is not None else 0,
    )


def prediction(poses: Poses) -> Prediction:
    """Answer with the poses of an image."""
    return Prediction(persons=named_poses(poses))


def explain_person(model: PoseModel, pixels: np.ndarray, box: np.ndarray, layer: int) -> ExplainedPose:
    """Predict one person and compute the attention of its keypoints.

    Args:
        pixels: [H, W, 3] uint8 RGB.
        box: [4] x, y, width, height in image pixels.
        layer: see `PoseModel.attention`.

    Raises:
        InputError: see `PoseModel.attention`.
    """
    maps = model.attention(pixels, box[None], layer)
    (pose,) = named_poses(maps.poses)
    names, unit = model.skeleton.keypoints, model.grid.uniform
    return ExplainedPose(
        **pose.model_dump(),
        grid=grid_in_image(model.grid, box),
        dependency=_by_name(names, maps.dependency[0] / unit),
        affected=_by_name(names, maps.affected[0] / unit),
    )


def grid_in_image(grid: Grid, box: np.ndarray) -> CellGrid:
    """Return the cells of a box [4] in image pixels."""
    center, scale = box_to_center_scale(box[None], grid.input_size)
    (affine,) = crop_affines(center, scale, np.zeros(1), grid.input_size)
    # Without rotation: one factor and an offset.
    factor, offset = affine[0, 0], affine[:, 2]
    x, y = ((grid.centres()[0] - offset) / factor).tolist()
    return CellGrid(rows=grid.size[0], columns=grid.size[1], x=x, y=y, side=grid.cell_side / factor)


def _by_name(names: tuple[str, ...], maps: np.ndarray) -> dict[str, list[list[float]]]:
    """Convert maps [K, h, w] to lists."""
    rounded = maps.astype(np.float64).round(_DECIMALS).tolist()
    return dict(zip(names, rounded, strict=True))
