import torch
from hypothesis import given
from hypothesis import strategies as st

from transpose.codec.encode import gaussian_heatmaps

SIZE = (64, 48)


def one_map(x: float, y: float, visible: float = 1.0, sigma: float = 2.0):
    heatmaps, weights = gaussian_heatmaps(torch.tensor([[[x, y]]]), torch.tensor([[visible]]), SIZE, sigma)
    return heatmaps[0, 0], weights[0, 0].item()


@given(st.floats(1, 46, width=32), st.floats(1, 62, width=32))
def test_the_map_is_a_gaussian_around_the_sub_pixel_position(x, y):
    heatmap, weight = one_map(x, y)
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(48.0), indexing="ij")
    expected = torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    torch.testing.assert_close(heatmap, expected, atol=2e-6, rtol=0)
    assert weight == 1


def test_keypoints_not_labelled_have_no_target():
    heatmap, weight = one_map(20.0, 30.0, visible=0.0)
    assert weight == 0
    assert not heatmap.any()


def test_weights_follow_the_truncated_box_of_three_deviations():
    # int(47.9 + 6 - 6) = 47 is inside, int(54 - 6) = 48 is not; int(-7.9 + 7) = 0 is inside, int(-8 + 7) = -1 is not.
    for x, weight in [(53.9, 1), (54.0, 0), (-7.9, 1), (-8.0, 0)]:
        assert one_map(x, 30.0)[1] == weight
    for y, weight in [(69.9, 1), (70.0, 0), (-7.9, 1), (-8.0, 0)]:
        assert one_map(20.0, y)[1] == weight


def test_the_box_grows_with_sigma():
    assert one_map(56.0, 30.0, sigma=3.0)[1] == 1
    assert one_map(56.0, 30.0, sigma=2.0)[1] == 0


def test_targets_of_a_batch_are_those_of_each_keypoint():
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(3, 17, 2, generator=generator) * 60 - 5
    visible = torch.rand(3, 17, generator=generator) > 0.3
    heatmaps, weights = gaussian_heatmaps(points, visible, SIZE, 2.0)
    assert heatmaps.shape == (3, 17, 64, 48)
    assert heatmaps.dtype == weights.dtype == torch.float32
    alone, weight = gaussian_heatmaps(points[1:2, 4:5], visible[1:2, 4:5], SIZE, 2.0)
    torch.testing.assert_close(heatmaps[1, 4], alone[0, 0])
    assert weights[1, 4] == weight
