"""Batches of training samples: those of this package and plain ones, made image by image and keypoint by keypoint."""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from transpose.codec.encode import gaussian_heatmaps
from transpose.config.training import Augmentation
from transpose.data.augment import AugmentedFrame
from transpose.data.coco import CocoAnnotations, PersonInstances
from transpose.data.image_source import image_source_of
from transpose.data.loader import TrainingSamples
from transpose.data.normalise import IMAGENET_MEAN, IMAGENET_STD, normalise
from transpose.geometry import crop_affine
from transpose.skeleton import COCO_PERSON, Skeleton

INPUT_SIZE, HEATMAP_SIZE, SIGMA = (256, 192), (64, 48), 2.0


def samples_of(annotations: CocoAnnotations, disk_bytes: int) -> TrainingSamples:
    """Return samples of the official recipe without a memory cache, since a large data set does not fit into one."""
    return TrainingSamples(
        annotations,
        image_source_of(annotations.source),
        COCO_PERSON,
        INPUT_SIZE,
        HEATMAP_SIZE,
        Augmentation(),
        seed=0,
        cache_bytes=0,
        disk_bytes=disk_bytes,
    )


def our_batch(samples: TrainingSamples, persons: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Return the training batch of persons [B]: images [B, 3, h, w], targets [B, K, h, w] and weights [B, K]."""
    batch = samples.batch(0, persons)
    return normalise(batch.crops), *gaussian_heatmaps(batch.keypoints, batch.visible, HEATMAP_SIZE, SIGMA)


def naive_batch(
    annotations: CocoAnnotations, instances: PersonInstances, samples: TrainingSamples, persons: np.ndarray
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same batch by naive code; persons [B] are indices of `instances`, `samples` has the augmentations."""
    images, heatmaps, weights = [], [], []
    for person in persons.tolist():
        position = annotations.image_index(int(instances.image_ids[person]))
        frame = samples.frame(0, person)
        path = annotations.source.parent / "images" / annotations.images.file_names[position]
        images.append(naive_crop(path, frame, INPUT_SIZE))
        width = int(annotations.images.sizes_hw[position, 1])
        target = naive_targets(instances.keypoints[person], frame, width, HEATMAP_SIZE, COCO_PERSON, SIGMA)
        heatmaps.append(target[0])
        weights.append(target[1])
    return torch.stack(images), torch.from_numpy(np.stack(heatmaps)), torch.from_numpy(np.stack(weights))


def naive_crop(path: Path, frame: AugmentedFrame, size_hw: tuple[int, int]) -> Tensor:
    """Read an image, mirror it if the frame is flipped, crop the person and normalise the crop.

    Args:
        path: path of the image.
        frame: in the image before mirroring.
        size_hw: (height, width) of the crop.

    Returns:
        [3, h, w] float32.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise FileNotFoundError(path)
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    if frame.flip:
        image = image[:, ::-1, :]
    affine = _affine(frame, image.shape[1], size_hw)
    crop = cv2.warpAffine(image, affine, size_hw[::-1], flags=cv2.INTER_LINEAR)
    tensor = torch.from_numpy(crop).permute(2, 0, 1).contiguous().to(torch.float32).div(255)
    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (tensor - mean) / std


def naive_targets(
    keypoints: np.ndarray,
    frame: AugmentedFrame,
    image_width: int,
    size_hw: tuple[int, int],
    skeleton: Skeleton,
    sigma: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the target heatmaps of one person in a loop over keypoints.

    Args:
        keypoints: [K, 3] image pixels and visibility, in the image before mirroring.
        frame: in the image before mirroring.
        image_width: image pixels.
        size_hw: (height, width) of the heatmaps.
        skeleton: has the mirror partners.
        sigma: standard deviation in heatmap pixels.

    Returns:
        heatmaps [K, h, w] and weights [K], float32.
    """
    height, width = size_hw
    affine = _affine(frame, image_width, size_hw)
    heatmaps = np.zeros((len(keypoints), height, width), dtype=np.float32)
    weights = np.zeros(len(keypoints), dtype=np.float32)
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    for keypoint in range(len(keypoints)):
        source = skeleton.flip_permutation[keypoint] if frame.flip else keypoint
        x, y, visibility = keypoints[source]
        if visibility == 0:
            continue
        if frame.flip:
            x = image_width - 1 - x
        x, y = affine @ np.array([x, y, 1.0])
        reach = 3 * sigma
        if int(x - reach) >= width or int(y - reach) >= height or int(x + reach + 1) < 0 or int(y + reach + 1) < 0:
            continue
        heatmaps[keypoint] = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
        weights[keypoint] = 1
    return heatmaps, weights


def _affine(frame: AugmentedFrame, image_width: int, size_hw: tuple[int, int]) -> np.ndarray:
    """Return the affine [2, 3] from pixels of the image (mirrored if the frame is) to crop or heatmap pixels."""
    if not frame.flip:
        return crop_affine(frame.center, frame.scale, frame.rotation, size_hw)
    mirrored = np.array([image_width - 1 - frame.center[0], frame.center[1]])
    return crop_affine(mirrored, frame.scale, -frame.rotation, size_hw)
