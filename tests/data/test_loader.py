import json
from pathlib import Path

import numpy as np
import pytest
import torch

from transpose.config.training import Augmentation
from transpose.data.boxes import PersonBoxes, ground_truth_boxes
from transpose.data.coco import load_annotations
from transpose.data.crops import crop_image
from transpose.data.images import decode_image, read_image
from transpose.data.loader import EvaluationCrops, TrainingSamples, training_batches
from transpose.errors import InputError
from transpose.geometry import box_to_center_scale, crop_affine
from transpose.skeleton import COCO_PERSON

INPUT_SIZE, HEATMAP_SIZE = (128, 96), (32, 24)

# PyTorch advises against more workers than cores, which a small machine may have.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")


def samples_of(
    folder: Path, seed: int = 0, cache_bytes: int = 0, disk_bytes: int = 0, **augmentation: float
) -> TrainingSamples:
    annotations = load_annotations(folder / "annotations.json", COCO_PERSON)
    settings = Augmentation.model_validate(augmentation)
    return TrainingSamples(
        annotations, folder / "images", COCO_PERSON, INPUT_SIZE, HEATMAP_SIZE, settings, seed, cache_bytes, disk_bytes
    )


def epoch_bytes(samples: TrainingSamples, epoch: int, workers: int = 0) -> list[bytes]:
    batches = training_batches(samples, epoch, batch_size=3, workers=workers)
    return [
        part.tobytes()
        for batch in batches
        for part in (batch.crops.numpy(), batch.keypoints.numpy(), batch.visible.numpy(), batch.index)
    ]


def crops_of(folder: Path, boxes: PersonBoxes | None = None) -> EvaluationCrops:
    annotations = load_annotations(folder / "annotations.json", COCO_PERSON)
    return EvaluationCrops(
        ground_truth_boxes(annotations) if boxes is None else boxes, annotations, folder / "images", INPUT_SIZE
    )


def test_batches_have_the_promised_types(tiny_dataset):
    batches = list(training_batches(samples_of(tiny_dataset), 0, batch_size=3, workers=0))
    assert [len(batch.crops) for batch in batches] == [3, 1]
    first = batches[0]
    assert (first.crops.shape, first.crops.dtype) == ((3, 128, 96, 3), torch.uint8)
    assert (first.keypoints.shape, first.keypoints.dtype) == ((3, 17, 2), torch.float32)
    assert (first.visible.shape, first.visible.dtype) == ((3, 17), torch.bool)
    assert not first.keypoints[~first.visible].any()


def test_without_augmentation_a_sample_is_the_evaluation_crop(tiny_dataset):
    off = {"half_body_probability": 0, "scale_factor": 0, "rotation_probability": 0, "flip_probability": 0}
    samples = samples_of(tiny_dataset, **off)
    plain = {
        index: crop
        for batch in crops_of(tiny_dataset).batches(4)
        for index, crop in zip(batch.index, batch.crops, strict=True)
    }
    for person in range(len(samples)):
        crop, _, _ = samples.sample(0, person)
        np.testing.assert_array_equal(crop, plain[person])


def test_workers_do_not_change_a_byte(tiny_dataset):
    samples = samples_of(tiny_dataset)
    alone = epoch_bytes(samples, 3)
    assert epoch_bytes(samples, 3, workers=1) == alone
    assert epoch_bytes(samples, 3, workers=2) == alone


def test_kept_images_do_not_change_a_byte(tiny_dataset):
    cached = samples_of(tiny_dataset, cache_bytes=10**6)
    assert epoch_bytes(cached, 0, workers=1) == epoch_bytes(samples_of(tiny_dataset), 0)
    for path in (tiny_dataset / "images").iterdir():
        path.unlink()
    # What the worker decoded serves this process and the next worker.
    assert epoch_bytes(cached, 1, workers=1) == epoch_bytes(cached, 1)


@pytest.mark.parametrize("workers", [0, 2])
def test_images_kept_on_disk_do_not_change_a_byte(tiny_dataset, workers):
    plain = samples_of(tiny_dataset)
    for disk_bytes in (60_000, 10**6):  # one of the images, then all
        kept = samples_of(tiny_dataset, disk_bytes=disk_bytes)
        for epoch in range(3):
            assert epoch_bytes(kept, epoch, workers) == epoch_bytes(plain, epoch)


def test_epochs_after_the_first_decode_nothing_that_is_kept_on_disk(tiny_dataset):
    kept = samples_of(tiny_dataset, disk_bytes=10**6)
    expected = epoch_bytes(kept, 0, workers=1), epoch_bytes(kept, 1)
    for path in (tiny_dataset / "images").iterdir():
        path.unlink()
    assert (epoch_bytes(kept, 0), epoch_bytes(kept, 1, workers=1)) == expected
    # Another training proves what it takes, for which it needs the images' files.
    with pytest.raises(InputError, match="no such image"):
        samples_of(tiny_dataset, disk_bytes=10**6).sample(0, 0)


def test_images_without_persons_are_not_cached(tiny_dataset):
    path = tiny_dataset / "annotations.json"
    content = json.loads(path.read_text())
    kept = [annotation for annotation in content["annotations"] if annotation["id"] == 104]
    path.write_text(json.dumps(content | {"annotations": kept}))
    samples = samples_of(tiny_dataset, cache_bytes=96 * 96 * 3)  # its own image's, not the two before it
    samples.sample(0, 0)
    (tiny_dataset / "images" / "000000000013.jpg").unlink()
    samples.sample(1, 0)


def test_epochs_and_seeds_differ_and_repeat(tiny_dataset):
    samples = samples_of(tiny_dataset)
    assert epoch_bytes(samples, 0) == epoch_bytes(samples_of(tiny_dataset), 0)
    assert epoch_bytes(samples, 0) != epoch_bytes(samples, 1)
    assert epoch_bytes(samples, 0) != epoch_bytes(samples_of(tiny_dataset, seed=1), 0)
    assert not np.array_equal(samples.sample(0, 0)[0], samples.sample(1, 0)[0])


def test_every_epoch_holds_every_person_once(tiny_dataset):
    samples = samples_of(tiny_dataset)
    for epoch in range(5):
        assert sorted(samples.order(epoch)) == list(range(len(samples)))
    assert len({tuple(samples.order(epoch)) for epoch in range(20)}) > 5


def test_an_epoch_continues_at_any_step(tiny_dataset):
    samples = samples_of(tiny_dataset)
    whole = list(training_batches(samples, 2, batch_size=1, workers=0))
    rest = list(training_batches(samples, 2, batch_size=1, workers=0, start_batch=2))
    assert len(rest) == 2
    for expected, batch in zip(whole[2:], rest, strict=True):
        torch.testing.assert_close(batch.crops, expected.crops, rtol=0, atol=0)


def test_keypoints_mark_the_drawn_discs(tiny_dataset):
    samples = samples_of(tiny_dataset)
    checked = 0
    for epoch in range(20):
        crop, keypoints, visible = samples.sample(epoch, 0)
        in_crop = np.round((keypoints - (11.5, 15.5)) * 95 / 23 + (47.5, 63.5)).astype(int)
        inside = visible & (in_crop > 1).all(axis=1) & (in_crop < (94, 126)).all(axis=1)
        x, y = in_crop[inside].T
        # Discs are drawn yellow: much red and green.
        assert (np.abs(crop[y, x].astype(int) - (250, 220, 40)).max(axis=1) < 90).all()
        checked += inside.sum()
    assert checked > 50


@pytest.mark.parametrize("workers", [0, 1])
def test_broken_images_are_reported_with_any_number_of_workers(tiny_dataset, workers):
    broken = tiny_dataset / "images" / "000000000011.jpg"
    broken.write_bytes(broken.read_bytes()[:500])
    with pytest.raises(InputError) as caught:
        list(training_batches(samples_of(tiny_dataset), 0, batch_size=2, workers=workers))
    assert str(caught.value).startswith(f"{broken}: ")
    assert caught.value.file == broken
    with pytest.raises(InputError, match=broken.name):
        list(crops_of(tiny_dataset).batches(2, workers))


def test_missing_images_are_reported(tiny_dataset):
    (tiny_dataset / "images" / "000000000012.jpg").unlink()
    with pytest.raises(InputError, match=r"000000000012\.jpg: no such image"):
        list(training_batches(samples_of(tiny_dataset), 0, batch_size=2, workers=0))


def test_missing_persons_are_reported(tiny_dataset):
    path = tiny_dataset / "annotations.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"annotations": []}))
    with pytest.raises(InputError, match="no person with keypoints to train on"):
        samples_of(tiny_dataset)


@pytest.mark.parametrize("workers", [0, 1])
def test_evaluation_crops_cover_all_boxes_by_image(tiny_dataset, workers):
    annotations = load_annotations(tiny_dataset / "annotations.json", COCO_PERSON)
    boxes = ground_truth_boxes(annotations).select(np.array([2, 0, 3, 1]))
    batches = list(crops_of(tiny_dataset, boxes).batches(3, workers))
    index = np.concatenate([batch.index for batch in batches])
    assert index.tolist() == [1, 3, 0, 2]
    center, scale = box_to_center_scale(boxes.boxes_xywh, INPUT_SIZE)
    np.testing.assert_array_equal(np.concatenate([batch.center for batch in batches]), center[index])
    np.testing.assert_array_equal(np.concatenate([batch.scale for batch in batches]), scale[index])
    image = read_image(tiny_dataset / "images" / "000000000012.jpg")
    crop = crop_image(image, crop_affine(center[0], scale[0], 0.0, INPUT_SIZE), INPUT_SIZE)
    np.testing.assert_array_equal(batches[0].crops[2], crop)


def test_evaluation_decodes_each_image_once(tiny_dataset, monkeypatch):
    decoded = []

    def decode(data: bytes, path: Path, as_displayed: bool) -> np.ndarray:
        decoded.append(path.name)
        return decode_image(data, path, as_displayed)

    monkeypatch.setattr("transpose.data.images.decode_image", decode)
    assert len(list(crops_of(tiny_dataset).batches(1))) == 4
    assert sorted(decoded) == ["000000000011.jpg", "000000000012.jpg", "000000000013.jpg"]


def test_no_boxes_make_no_batches(tiny_dataset):
    annotations = load_annotations(tiny_dataset / "annotations.json", COCO_PERSON)
    nothing = ground_truth_boxes(annotations).select(np.zeros(4, dtype=bool))
    assert list(crops_of(tiny_dataset, nothing).batches(2)) == []


def test_boxes_in_unknown_images_are_reported(tiny_dataset):
    boxes = PersonBoxes(np.array([77]), np.ones((1, 4)), np.ones(1), np.array([-1]))
    with pytest.raises(InputError, match="image 77"):
        crops_of(tiny_dataset, boxes)


def test_a_batch_is_pinned_with_all_that_goes_to_the_device(
    tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned: list[torch.Tensor] = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor)
    batch = samples_of(tiny_dataset).batch(0, np.arange(2))
    again = batch.pin_memory()
    assert all(old is new for old, new in zip(pinned, (again.crops, again.keypoints, again.visible), strict=True))
    assert all(old is new for old, new in zip(pinned, (batch.crops, batch.keypoints, batch.visible), strict=True))
    assert again.index is batch.index
