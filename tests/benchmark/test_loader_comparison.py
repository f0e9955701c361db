"""The timed loaders make the same samples, and computed speeds are marked as computed."""

import numpy as np
import pytest
import torch

from transpose.benchmark.coco_sized import IMAGE_SIZE, write_coco_sized
from transpose.benchmark.comparison import Candidate, compare_speed
from transpose.benchmark.loader import (
    compare_training_samples,
    naive_batch,
    our_batch,
    samples_of,
    with_workers,
)
from transpose.benchmark.one_thread import one_thread
from transpose.data.coco import CocoAnnotations, load_annotations, training_instances
from transpose.data.crops import IMAGENET_STD
from transpose.data.images import read_image
from transpose.data.photographs import photographs_folder
from transpose.skeleton import COCO_PERSON


@pytest.fixture(scope="module")
def annotations(tmp_path_factory: pytest.TempPathFactory) -> CocoAnnotations:
    return load_annotations(write_coco_sized(tmp_path_factory.mktemp("timed") / "data"), COCO_PERSON)


def test_images_are_as_large_as_cocos_and_show_what_the_photographs_show(annotations: CocoAnnotations) -> None:
    folder = annotations.source.parent / "images"
    paths = [folder / name for name in annotations.images.file_names]
    assert 150_000 < np.mean([path.stat().st_size for path in paths]) < 175_000
    for path in paths[:3]:
        original = read_image(photographs_folder() / "images" / path.name)
        copy = read_image(path)
        assert copy.shape == (*IMAGE_SIZE, 3)
        difference = copy[: original.shape[0], : original.shape[1]].astype(int) - original
        assert np.abs(difference).mean() < 4


def test_the_plain_form_makes_the_same_samples(annotations: CocoAnnotations) -> None:
    samples, persons = samples_of(annotations, 0), np.arange(16)
    plain = naive_batch(annotations, training_instances(annotations), samples, persons)
    images, heatmaps, weights = our_batch(samples, persons)
    torch.testing.assert_close(heatmaps, plain[1], rtol=0, atol=1e-5)
    torch.testing.assert_close(weights, plain[2], rtol=0, atol=0)
    assert weights.sum() > 50
    levels = (images - plain[0]).abs() * torch.tensor(IMAGENET_STD)[:, None, None] * 255
    mirrored = np.array([samples.frame(0, person).flip for person in persons.tolist()])
    assert 3 < mirrored.sum() < 13
    assert levels[~mirrored].max() < 1e-3
    # A mirrored image is sampled at other thirty-seconds of a pixel than a mirrored crop.
    assert levels[mirrored].mean() < 1


def test_images_kept_on_disk_make_the_same_samples(annotations: CocoAnnotations) -> None:
    kept, persons = samples_of(annotations, 10**9), np.arange(16)
    expected = our_batch(samples_of(annotations, 0), persons)
    for _ in range(2):
        for ours, theirs in zip(our_batch(kept, persons), expected, strict=True):
            assert torch.equal(ours, theirs)


def test_the_comparison_has_three_candidates() -> None:
    result = compare_training_samples(batches=1, rounds=1)
    assert [timing.name for timing in result.timings] == ["plain", "exact", "images kept on disk"]
    assert result.count == 16
    assert "640x480 pixels and 159 KB" in result.remark


def test_what_workers_would_give_is_marked_as_computed() -> None:
    single = compare_speed("title", "samples", 5, [Candidate("a", list), Candidate("b", dict)], rounds=1)
    estimate = with_workers(single)
    assert estimate.basis == "computed, not measured"
    assert estimate.per_second == {timing.name: 8 * timing.per_second for timing in single.timings}


def test_one_thread_is_not_for_ever() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
