"""Batches of crops: augmented for training, plain for evaluation.

A batch depends only on its persons, the seed and the epoch, not on the number of workers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from transpose.config.training import Augmentation
from transpose.data.augment import AugmentedFrame, sample_augmentation
from transpose.data.boxes import PersonBoxes
from transpose.data.coco import CocoAnnotations, training_instances
from transpose.data.crops import BoxCrops, crop_image, rows_under_crop
from transpose.data.image_cache import CACHE_FOLDER, DiskImageCache, ImageCache
from transpose.data.images import ImageFiles, ImageFolder, ImageSource
from transpose.data.workers import load_batches, share, slices
from transpose.errors import InputError
from transpose.geometry import box_to_center_scale, crop_affines
from transpose.skeleton import Skeleton

CACHE_BYTES = 2**30
"""Size of training's in-memory cache of decoded images."""

_ORDER, _AUGMENTATION = 0, 1
"""Streams of random numbers under one seed."""


@dataclass(frozen=True)
class TrainingBatch:
    """B augmented crops with their K keypoints."""

    crops: Tensor
    """[B, h, w, 3] uint8 RGB."""
    keypoints: Tensor
    """[B, K, 2] float32, heatmap pixels; zero where not labelled."""
    visible: Tensor
    """[B, K] bool: the keypoint is labelled."""
    index: np.ndarray
    """[B] int64: positions in the TrainingSamples."""

    def pin_memory(self) -> "TrainingBatch":
        """Return the batch in pinned memory; DataLoader calls this."""
        return replace(
            self,
            crops=self.crops.pin_memory(),
            keypoints=self.keypoints.pin_memory(),
            visible=self.visible.pin_memory(),
        )


@dataclass(frozen=True)
class EvaluationBatch:
    """B crops of one box each."""

    crops: Tensor
    """[B, h, w, 3] uint8 RGB."""
    center: np.ndarray
    """[B, 2] float64, image pixels."""
    scale: np.ndarray
    """[B, 2] float64, units of 200 image pixels."""
    index: np.ndarray
    """[B] int64: positions in the PersonBoxes."""

    @classmethod
    def of(cls, crops: BoxCrops) -> "EvaluationBatch":
        """Return the same crops as a tensor that shares their memory."""
        return cls(torch.from_numpy(crops.crops), crops.center, crops.scale, crops.index)

    @classmethod
    def join(cls, parts: Sequence["EvaluationBatch"]) -> "EvaluationBatch":
        """Return the crops of all parts, numbered from 0."""
        crops = torch.cat([part.crops for part in parts])
        center, scale = np.concatenate([part.center for part in parts]), np.concatenate([part.scale for part in parts])
        return cls(crops, center, scale, np.arange(len(crops)))

    def select(self, rows: np.ndarray) -> "EvaluationBatch":
        """Return the crops at indices `rows`."""
        return EvaluationBatch(self.crops[rows], self.center[rows], self.scale[rows], self.index[rows])

    def pin_memory(self) -> "EvaluationBatch":
        """See `TrainingBatch.pin_memory`."""
        return replace(self, crops=self.crops.pin_memory())


class TrainingSamples:
    """Augmented crops of all training persons, keyed by (seed, epoch, person)."""

    def __init__(
        self,
        annotations: CocoAnnotations,
        image_folder: ImageFolder,
        skeleton: Skeleton,
        input_size: tuple[int, int],
        heatmap_size: tuple[int, int],
        augmentation: Augmentation,
        seed: int,
        cache_bytes: int = CACHE_BYTES,
        disk_bytes: int = 0,
    ) -> None:
        """Select the persons.

        Args:
            cache_bytes: size of the cache of decoded images in memory.
            disk_bytes: size of the cache of decoded images on disk; samples do not depend on it.

        Raises:
            InputError: there is no person to train on.
        """
        persons = training_instances(annotations)
        if not len(persons):
            raise InputError("no person with keypoints to train on", file=annotations.source, field="annotations")
        self.annotation_ids = persons.annotation_ids
        self.skeleton = skeleton
        self.input_size = input_size
        self.heatmap_size = heatmap_size
        self.augmentation = augmentation
        self.seed = seed
        self._keypoints = persons.keypoints
        # Skip images without annotated persons (over half of COCO), which need no cache.
        used, self._positions = np.unique(annotations.images.find(persons.image_ids), return_inverse=True)
        self._table = annotations.images.select(used)
        source: ImageSource = ImageFiles(image_folder, self._table)
        if disk_bytes:
            source = DiskImageCache(source, annotations.source.parent / CACHE_FOLDER, disk_bytes)
        self._images = ImageCache(source, self._table, cache_bytes)
        self._center, self._scale = box_to_center_scale(persons.boxes_xywh, input_size)

    def __len__(self) -> int:
        return len(self.annotation_ids)

    def order(self, epoch: int) -> np.ndarray:
        """Return the persons [N] int64 in the order of an epoch."""
        return self._random(_ORDER, epoch).permutation(len(self))

    def frame(self, epoch: int, person: int) -> AugmentedFrame:
        """Return the crop frame of a person in an epoch."""
        return sample_augmentation(
            self._keypoints[person],
            self._center[person],
            self._scale[person],
            self.skeleton,
            self.input_size,
            self.augmentation,
            self._random(_AUGMENTATION, epoch, person),
        )

    def sample(self, epoch: int, person: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return one augmented crop with its keypoints.

        Returns:
            crop [h, w, 3] uint8, keypoints [K, 2] float64 in heatmap pixels, visible [K] bool.

        Raises:
            InputError: the image is missing or broken.
        """
        frame = self.frame(epoch, person)
        position, affine = int(self._positions[person]), frame.affine(self.input_size)
        rows = rows_under_crop(affine, self.input_size, int(self._table.sizes_hw[position, 0]))
        crop = crop_image(self._images.read(position, rows), affine, self.input_size)
        return crop, *frame.place_keypoints(self._keypoints[person], self.heatmap_size, self.skeleton)

    def batch(self, epoch: int, persons: np.ndarray) -> TrainingBatch:
        """Return the samples of persons [B] as a batch; B may be 0."""
        crops = np.empty((len(persons), *self.input_size, 3), dtype=np.uint8)
        keypoints = np.empty((len(persons), len(self.skeleton), 2), dtype=np.float32)
        visible = np.empty((len(persons), len(self.skeleton)), dtype=bool)
        for row, person in enumerate(persons.tolist()):
            crops[row], keypoints[row], visible[row] = self.sample(epoch, person)
        return TrainingBatch(torch.from_numpy(crops), torch.from_numpy(keypoints), torch.from_numpy(visible), persons)

    def _random(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


class EvaluationCrops:
    """Crops of boxes in image order, so that few images are decoded twice."""

    def __init__(
        self, boxes: PersonBoxes, annotations: CocoAnnotations, image_folder: ImageFolder, input_size: tuple[int, int]
    ) -> None:
        """Compute the crop of each box.

        Raises:
            InputError: a box is in an image that is not annotated.
        """
        self.input_size = input_size
        self._positions = annotations.images.find(boxes.image_ids)
        if (self._positions < 0).any():
            unknown = boxes.image_ids[self._positions < 0][0]
            raise InputError(
                "has a box, but is not in the annotations", file=annotations.source, record=f"image {unknown}"
            )
        self.order = np.argsort(self._positions, kind="stable")
        self._images = ImageFiles(image_folder, annotations.images)
        self._center, self._scale = box_to_center_scale(boxes.boxes_xywh, input_size)
        self._affines = crop_affines(self._center, self._scale, np.zeros(len(boxes)), input_size)
        self._latest: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.order)

    def batches(self, batch_size: int, workers: int = 0, pinned: bool = False) -> Iterator[EvaluationBatch]:
        """Return all crops in batches; the last batch may be smaller.

        Args:
            pinned: see `load_batches`.

        Raises:
            InputError: an image is missing or broken.
        """
        return load_batches(self.batch, slices(self.order, batch_size), workers, pinned)

    def batch(self, index: np.ndarray) -> EvaluationBatch:
        """Return the crops of boxes [B]."""
        crops = [crop_image(self._image(box), self._affines[box], self.input_size) for box in index.tolist()]
        return EvaluationBatch(torch.from_numpy(np.stack(crops)), self._center[index], self._scale[index], index)

    def _image(self, box: int) -> np.ndarray:
        position = int(self._positions[box])
        if self._latest is None or self._latest[0] != position:
            self._latest = position, self._images.read(position)
        return self._latest[1]


def training_batches(
    samples: TrainingSamples,
    epoch: int,
    batch_size: int,
    workers: int,
    start_batch: int = 0,
    rank: int = 0,
    processes: int = 1,
    pinned: bool = False,
) -> Iterator[TrainingBatch]:
    """Return the batches of an epoch from `start_batch` on; the last batch may be smaller.

    Args:
        batch_size: persons per batch over all processes; the persons of a batch do not depend on `processes`.
        rank: the process whose share of each batch is returned; the share may be empty.
        pinned: see `load_batches`.

    Raises:
        InputError: an image is missing or broken.
    """
    batches = slices(samples.order(epoch), batch_size)[start_batch:]
    persons = [share(batch, rank, processes) for batch in batches]
    return load_batches(partial(samples.batch, epoch), persons, workers, pinned)
