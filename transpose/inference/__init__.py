"""Inference: heatmap decoding, flip test, rescoring, non-maximum suppression and tracking."""
