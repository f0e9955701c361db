"""The plain and the cached training samples are those of the package."""

import numpy as np
import pytest
import torch

from benchmarks.coco_sized import IMAGE_SIZE, write_coco_sized
from benchmarks.training_samples import naive_batch, our_batch, samples_of
from transpose.data.coco import CocoAnnotations, load_annotations, training_instances
from transpose.data.images import read_image
from transpose.data.normalise import IMAGENET_STD
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
