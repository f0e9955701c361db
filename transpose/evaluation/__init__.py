"""From a model to its figures: predictions, COCO results, OKS metrics and their intervals."""
