"""Naive implementation of the model: the baseline of the network benchmarks."""

import torch.nn.functional as F
from torch import Tensor, nn

from transpose.models.encoder import Attend, SelfAttention
from transpose.models.transpose import TransPose


class NaiveNetwork(nn.Module):
    """The model with unfused attention, which computes the attention weights and their mean over heads in every pass.

    Convolutions are in channels-first order, and batch norms are not fused.
    """

    def __init__(self, model: TransPose) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Normalised crops [B, 3, H, W] -> heatmaps [B, K, H / 4, W / 4]."""
        layers = [module for module in self.model.modules() if isinstance(module, SelfAttention)]
        attends = {index: self._attend(layer.dropout) for index, layer in enumerate(layers)}
        return self.model.predict_heatmaps(self.model.encode(self.model.features(images), attends))

    def _attend(self, dropout: float) -> Attend:
        def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            weights = (query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5).softmax(dim=-1)
            weights = F.dropout(weights, dropout, self.training)
            weights.mean(dim=1)  # cost of explanations, paid in every pass
            return weights @ value

        return attend


def naive_loss(predicted: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Compute `heatmap_loss` in a loop over keypoints: two heatmaps [B, K, h, w] and weights [B, K] -> scalar."""
    batch, keypoints = predicted.shape[:2]
    loss = predicted.new_zeros(())
    for keypoint in range(keypoints):
        weight = weights[:, keypoint, None]
        output, expected = (maps[:, keypoint].reshape(batch, -1) * weight for maps in (predicted, target))
        loss = loss + 0.5 * F.mse_loss(output, expected)
    return loss / keypoints
