"""Time and memory of the loader by number of persons.

python -m benchmarks.loader_scale 1000 10000 100000
"""

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import psutil

from benchmarks.fresh_processes import in_fresh_processes, persons_to_measure
from transpose.config.training import Augmentation
from transpose.data.boxes import PersonBoxes, ground_truth_boxes
from transpose.data.coco import CocoAnnotations, ImageTable, PersonInstances
from transpose.data.images import ImageFile
from transpose.data.loader import EvaluationCrops, TrainingSamples
from transpose.data.workers import slices
from transpose.skeleton import COCO_PERSON

_PERSONS_PER_IMAGE = 2.5
_IMAGE_SIZE = (48, 64)
_INPUT_SIZE, _HEATMAP_SIZE = (64, 48), (16, 12)
_BATCH_SIZE = 100
_MADE = 10_000
"""Maximum number of persons for which samples are made, evenly spread so that every memory page is touched."""
_MB = 1e6


@dataclass(frozen=True)
class LoaderScale:
    """Time and memory of the loader for a number of persons."""

    persons: int
    build_seconds: float
    """Time to build TrainingSamples and EvaluationCrops from annotations in memory."""
    sample_microseconds: float
    """Time of one training sample and one evaluation crop of a person, both of tiny images."""
    parent_mb: float
    """Memory taken by building them; less in a process that reuses freed memory."""
    worker_mb: float
    """Private memory of a forked worker after it has made all samples."""
    copied_mb: float
    """Part of `worker_mb` added after the first batch: pages that the loader writes to are copied then."""


def loader_scale(persons: int) -> LoaderScale:
    """Measure the loader with `persons` random persons in tiny images, so that bookkeeping is most of the work.

    Memory is only meaningful in a fresh process: a fork copies freed pages when it reuses them.
    """
    annotations, images = _annotations(persons), _OneImage()
    boxes = ground_truth_boxes(annotations)
    before, start = _private_bytes(), time.perf_counter()
    samples, crops = _build(annotations, boxes, images)
    build_seconds = time.perf_counter() - start
    parent = _private_bytes() - before
    chosen = np.linspace(0, persons - 1, min(persons, _MADE), dtype=np.int64)
    seconds, first, worker = _in_fork(lambda persons: _make(samples, crops, persons), chosen)
    return LoaderScale(
        persons=persons,
        build_seconds=build_seconds,
        sample_microseconds=seconds / len(chosen) * 1e6,
        parent_mb=parent / _MB,
        worker_mb=worker / _MB,
        copied_mb=(worker - first) / _MB,
    )


def _build(
    annotations: CocoAnnotations, boxes: PersonBoxes, images: "_OneImage"
) -> tuple[TrainingSamples, EvaluationCrops]:
    samples = TrainingSamples(
        annotations, images, COCO_PERSON, _INPUT_SIZE, _HEATMAP_SIZE, Augmentation(), seed=0, cache_bytes=0
    )
    return samples, EvaluationCrops(boxes, annotations, images, _INPUT_SIZE)


def _make(samples: TrainingSamples, crops: EvaluationCrops, chosen: np.ndarray) -> None:
    """Make training samples and evaluation crops of persons [n], as loading processes do."""
    for persons in slices(chosen, _BATCH_SIZE):
        samples.batch(0, persons)
        crops.batch(persons)


def _in_fork(make: Callable[[np.ndarray], None], chosen: np.ndarray) -> tuple[float, int, int]:
    """Run `make(chosen)` in a fork; return seconds, and its private bytes after the first batch and at the end."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def work() -> None:
        cv2.setNumThreads(0)  # as in loading processes
        make(chosen[:_BATCH_SIZE])
        first, start = _private_bytes(), time.perf_counter()
        make(chosen)
        sender.send((time.perf_counter() - start, first, _private_bytes()))

    child = context.Process(target=work)
    child.start()
    # Otherwise `recv` would block if the child fails.
    sender.close()
    try:
        return receiver.recv()
    finally:
        child.join()


def _private_bytes() -> int:
    """Return the unique set size of this process: memory that it does not share with its parent."""
    return psutil.Process().memory_full_info().uss


def _annotations(persons: int) -> CocoAnnotations:
    rng = np.random.default_rng(0)
    images = int(np.ceil(persons / _PERSONS_PER_IMAGE))
    names = [f"{number:012d}.png" for number in range(images)]
    size = np.array(_IMAGE_SIZE[::-1])
    corners = np.sort(rng.uniform(0, size - 4, (persons, 2, 2)), axis=1)
    boxes = np.concatenate([corners[:, 0], np.maximum(corners[:, 1] - corners[:, 0], 4)], axis=1)
    points = boxes[:, None, :2] + rng.uniform(size=(persons, len(COCO_PERSON), 2)) * boxes[:, None, 2:]
    visibility = rng.integers(0, 3, (persons, len(COCO_PERSON), 1))
    visibility[:, 0] = 2
    instances = PersonInstances(
        image_ids=rng.integers(0, images, persons),
        annotation_ids=np.arange(persons),
        boxes_xywh=boxes,
        keypoints=np.concatenate([points, visibility], axis=2),
        areas=boxes[:, 2:].prod(axis=1),
        is_crowd=np.zeros(persons, dtype=bool),
    )
    sizes_hw = np.tile(np.array(_IMAGE_SIZE, dtype=np.int32), (images, 1))
    return CocoAnnotations(Path("synthetic persons"), ImageTable(np.arange(images), names, sizes_hw), instances)


class _OneImage:
    """A folder in which every name is the same image."""

    def __init__(self) -> None:
        image = np.random.default_rng(0).integers(0, 255, (*_IMAGE_SIZE, 3), dtype=np.uint8)
        self.content = cv2.imencode(".jpg", image)[1].tobytes()

    def __truediv__(self, name: str, /) -> ImageFile:
        """Return this image for any name."""
        return self

    def read_bytes(self) -> bytes:
        """Return the bytes of the file."""
        return self.content


def main() -> None:
    """Print a line for each number of persons."""
    persons = persons_to_measure("Time and memory of the loader by number of persons.")
    for one in in_fresh_processes(loader_scale, persons):
        print(
            f"{one.persons:>9,} persons   built in {one.build_seconds:8.3f} s   {one.sample_microseconds:8,.0f} us"
            f" a sample   {one.parent_mb:8.1f} MB in the process   {one.worker_mb:6.1f} MB in a worker"
        )


if __name__ == "__main__":
    main()
