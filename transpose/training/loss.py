"""The heatmap loss."""

from torch import Tensor


def heatmap_loss(predicted: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Half the mean squared error of weighted heatmaps (paper, section 4.1; matches the official loss).

    The mean over keypoints of 0.5 MSE(predicted * weight, target * weight), computed as a single mean.

    Args:
        predicted: [B, K, h, w].
        target: [B, K, h, w].
        weights: [B, K]; a keypoint with weight 0 has no loss but still counts in the mean.

    Returns:
        Scalar.
    """
    return 0.5 * ((predicted - target) * weights[:, :, None, None]).square().mean()
