"""Evaluation of trained models: predictions, COCO results, OKS and PCKh metrics, and bootstrap intervals."""
