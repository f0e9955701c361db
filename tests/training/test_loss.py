import torch

from transpose.training.loss import heatmap_loss


def draw(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_is_the_mean_over_keypoints_of_half_the_weighted_squared_error():
    predicted, target = draw(3, 4, 6, 5, seed=0), draw(3, 4, 6, 5, seed=1)
    weights = torch.tensor([[1.0, 0, 1, 1.5], [0, 0, 1, 1], [1, 1, 1, 0]], dtype=torch.float64)
    keypoints = [
        0.5
        * torch.nn.functional.mse_loss(
            predicted[:, k].flatten(1) * weights[:, k, None], target[:, k].flatten(1) * weights[:, k, None]
        )
        for k in range(4)
    ]
    torch.testing.assert_close(heatmap_loss(predicted, target, weights), sum(keypoints) / 4)


def test_gradient_matches_finite_differences_and_ignores_unweighted_keypoints():
    predicted, target = draw(2, 3, 3, 2, seed=2).requires_grad_(), draw(2, 3, 3, 2, seed=3)
    weights = torch.tensor([[1.0, 0, 2], [0, 1, 1]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda heatmaps: heatmap_loss(heatmaps, target, weights), (predicted,))
    heatmap_loss(predicted, target, weights).backward()
    assert predicted.grad is not None
    assert not predicted.grad[weights == 0].any()
    assert predicted.grad[weights > 0].all()


def test_a_perfect_prediction_costs_nothing():
    target = draw(2, 3, 4, 4, seed=4)
    assert heatmap_loss(target, target, torch.ones(2, 3)) == 0
