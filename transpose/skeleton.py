"""Keypoint names of a data set and the relations between keypoints."""

from functools import cached_property
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, model_validator


class Skeleton(BaseModel):
    """Keypoints of one data set: names, mirror pairs, limbs, OKS sigmas, loss weights and the upper body.

    Keypoints are always named, to avoid wrong indices; the arrays below are derived once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(description="Name of the skeleton, for example coco.")
    keypoints: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        min_length=1, description="Keypoint names in the order of the annotation files."
    )
    flip_pairs: tuple[tuple[str, str], ...] = Field(description="Pairs that swap when the image is mirrored.")
    limbs: tuple[tuple[str, str], ...] = Field(description="Pairs to connect when a skeleton is drawn.")
    sigmas: tuple[PositiveFloat, ...] = Field(
        description="OKS standard deviation per keypoint, relative to the person's size."
    )
    joint_weights: tuple[NonNegativeFloat, ...] = Field(description="Weight of each keypoint in the loss.")
    upper_body: tuple[str, ...] = Field(description="Keypoints of the upper body, for half-body augmentation.")

    @model_validator(mode="after")
    def _is_consistent(self) -> "Skeleton":
        if len(set(self.keypoints)) != len(self.keypoints):
            raise ValueError("keypoints contains a duplicate name")
        for field in ("sigmas", "joint_weights"):
            if len(getattr(self, field)) != len(self.keypoints):
                raise ValueError(f"{field} has {len(getattr(self, field))} values for {len(self.keypoints)} keypoints")
        named = {name for pair in (*self.flip_pairs, *self.limbs) for name in pair} | set(self.upper_body)
        if unknown := sorted(named - set(self.keypoints)):
            raise ValueError(f"unknown keypoint {unknown[0]}")
        mirrored = [name for pair in self.flip_pairs for name in pair]
        if len(set(mirrored)) != len(mirrored):
            raise ValueError("flip_pairs contains a duplicate name")
        return self

    # Pydantic would compare the cached arrays too, and a copy would keep those of the original.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Skeleton) and self.model_dump() == other.model_dump()

    def __hash__(self) -> int:
        return hash((self.name, self.keypoints, self.sigmas))

    def __copy__(self) -> "Skeleton":
        return Skeleton.model_construct(**{name: getattr(self, name) for name in Skeleton.model_fields})

    def __len__(self) -> int:
        return len(self.keypoints)

    def index(self, keypoint: str) -> int:
        """Position of a keypoint in the annotation order."""
        return self.keypoints.index(keypoint)

    @cached_property
    def flip_permutation(self) -> np.ndarray:
        """[K] int64: index of each keypoint's counterpart when the image is mirrored."""
        permutation = np.arange(len(self.keypoints))
        for left, right in self.flip_pairs:
            permutation[[self.index(left), self.index(right)]] = self.index(right), self.index(left)
        return permutation

    @cached_property
    def upper_body_mask(self) -> np.ndarray:
        """[K] bool: keypoint belongs to the upper body."""
        return np.isin(self.keypoints, self.upper_body)

    @cached_property
    def oks_sigmas(self) -> np.ndarray:
        """[K] float64."""
        return np.asarray(self.sigmas, dtype=np.float64)

    @cached_property
    def loss_weights(self) -> np.ndarray:
        """[K] float32."""
        return np.asarray(self.joint_weights, dtype=np.float32)

    @cached_property
    def limb_indices(self) -> np.ndarray:
        """[limbs, 2] int64."""
        return np.array([[self.index(a), self.index(b)] for a, b in self.limbs], dtype=np.int64).reshape(-1, 2)

    @cached_property
    def mirror_matrix(self) -> np.ndarray:
        """[K, K] bool: keypoint j is the left or right counterpart of keypoint i."""
        keypoints = np.arange(len(self))
        return (self.flip_permutation[:, None] == keypoints) & (keypoints[:, None] != keypoints)

    @cached_property
    def adjacency(self) -> np.ndarray:
        """[K, K] bool: keypoint j is at the other end of a limb of keypoint i."""
        adjacent = np.zeros((len(self), len(self)), dtype=bool)
        first, second = self.limb_indices.T
        adjacent[first, second] = adjacent[second, first] = True
        return adjacent


def _sides(*parts: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"left_{part}", f"right_{part}") for part in parts)


_COCO_PAIRS = _sides("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")

COCO_PERSON = Skeleton(
    name="coco",
    keypoints=("nose", *(name for pair in _COCO_PAIRS for name in pair)),
    flip_pairs=_COCO_PAIRS,
    limbs=(
        *(("nose", f"{side}_eye") for side in ("left", "right")),
        *((f"{side}_eye", f"{side}_ear") for side in ("left", "right")),
        *((f"{side}_ear", f"{side}_shoulder") for side in ("left", "right")),
        ("left_shoulder", "right_shoulder"),
        *((f"{side}_shoulder", f"{side}_elbow") for side in ("left", "right")),
        *((f"{side}_elbow", f"{side}_wrist") for side in ("left", "right")),
        *((f"{side}_shoulder", f"{side}_hip") for side in ("left", "right")),
        ("left_hip", "right_hip"),
        *((f"{side}_hip", f"{side}_knee") for side in ("left", "right")),
        *((f"{side}_knee", f"{side}_ankle") for side in ("left", "right")),
    ),
    # COCO keypoint evaluation: kpt_oks_sigmas of the official evaluator.
    sigmas=(0.026, *(s for s in (0.025, 0.035, 0.079, 0.072, 0.062, 0.107, 0.087, 0.089) for _ in range(2))),
    # Weights of the official recipe; used only if the recipe sets joint_weights.
    joint_weights=(1.0,) * 7 + (1.2, 1.2, 1.5, 1.5, 1.0, 1.0, 1.2, 1.2, 1.5, 1.5),
    upper_body=("nose", *(name for pair in _COCO_PAIRS[:5] for name in pair)),
)

COCO = COCO_PERSON
"""Alias for tests/test_reference.py, which is frozen."""
