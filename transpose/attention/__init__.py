"""Attention as an explanation: the parts of a person crop that a keypoint depends on."""
