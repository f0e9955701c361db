import torch

from transpose.inference.flip import flip_back, mean_with_mirrored
from transpose.skeleton import COCO_PERSON


def test_flip_back_mirrors_and_swaps_sides():
    heatmaps = torch.zeros(1, 17, 4, 6)
    heatmaps[0, COCO_PERSON.index("left_wrist"), 1, 0] = 1
    flipped = flip_back(heatmaps, COCO_PERSON)
    assert flipped[0, COCO_PERSON.index("right_wrist"), 1, 5] == 1
    assert flipped.sum() == 1


def test_flip_back_twice_is_nothing():
    heatmaps = torch.randn(2, 17, 5, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(flip_back(flip_back(heatmaps, COCO_PERSON), COCO_PERSON), heatmaps)


def test_flip_test_is_symmetric():
    weights = torch.randn(17, 3, 1, 3, generator=torch.Generator().manual_seed(1))
    images = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(2))

    def model(batch):
        return torch.nn.functional.conv2d(batch, weights, padding=(0, 1))

    plain, mirrored = model(images), model(images.flip(-1))
    averaged = mean_with_mirrored(plain, mirrored, COCO_PERSON)
    torch.testing.assert_close(flip_back(mean_with_mirrored(mirrored, plain, COCO_PERSON), COCO_PERSON), averaged)
    torch.testing.assert_close(averaged, (model(images) + flip_back(model(images.flip(-1)), COCO_PERSON)) / 2)
