"""Training samples per second: naive, the loader of this project, and with decoded images cached on disk."""

import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from transpose.benchmark.coco_sized import IMAGE_SIZE, write_coco_sized
from transpose.benchmark.comparison import Candidate, SpeedComparison, compare_speed
from transpose.benchmark.naive_samples import naive_crop, naive_targets
from transpose.config.base import Settings
from transpose.config.training import Augmentation
from transpose.data.coco import CocoAnnotations, PersonInstances, load_annotations, training_instances
from transpose.data.crops import normalise
from transpose.data.heatmaps import gaussian_heatmaps
from transpose.data.image_source import image_source_of
from transpose.data.loader import TrainingSamples
from transpose.skeleton import COCO_PERSON

INPUT_SIZE, HEATMAP_SIZE, SIGMA = (256, 192), (64, 48), 2.0
_BATCH_SIZE = 16
_ENOUGH_BYTES = 10**9


class WorkersEstimate(Settings):
    """Computed speed of several loading processes, if each has a core and the disk is fast enough."""

    basis: Literal["computed, not measured"] = "computed, not measured"
    workers: int
    per_second: dict[str, float]
    """Samples per second by candidate: that of one process times the number of processes."""


def compare_training_samples(batches: int = 2, rounds: int = 7) -> SpeedComparison:
    """Time batches of 16 augmented crops of 640x480 JPEGs, with normalised input and target heatmaps, on one thread.

    Args:
        batches: number per candidate and round.
        rounds: timed rounds, after one that fills the disk cache.
    """
    with tempfile.TemporaryDirectory() as folder:
        annotations = load_annotations(write_coco_sized(Path(folder) / "data"), COCO_PERSON)
        instances = training_instances(annotations)
        exact, kept = (samples_of(annotations, disk_bytes) for disk_bytes in (0, _ENOUGH_BYTES))
        # Every round makes the same samples, so the warm-up fills the disk cache.
        persons = np.resize(exact.order(0), (batches, _BATCH_SIZE))
        size = sum(path.stat().st_size for path in (annotations.source.parent / "images").iterdir())
        height, width = IMAGE_SIZE
        return compare_speed(
            "Training samples",
            "samples",
            persons.size,
            [
                Candidate("plain", lambda: [naive_batch(annotations, instances, exact, batch) for batch in persons]),
                Candidate("exact", lambda: [our_batch(exact, batch) for batch in persons]),
                Candidate("images kept on disk", lambda: [our_batch(kept, batch) for batch in persons]),
            ],
            rounds,
            remark=f"one thread; crops of {len(annotations.images)} photographs of {width}x{height} pixels and"
            f" {size / len(annotations.images) / 1000:.0f} KB on average; files and disk cache are in the page cache;"
            f" with the disk cache, no image is decoded",
        )


def with_workers(samples: SpeedComparison, workers: int = 8) -> WorkersEstimate:
    """Compute the speed of each candidate with `workers` processes."""
    return WorkersEstimate(
        workers=workers, per_second={timing.name: workers * timing.per_second for timing in samples.timings}
    )


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
