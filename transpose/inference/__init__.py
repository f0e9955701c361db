"""Inference: heatmap decoding, flip test, rescoring and non-maximum suppression."""
