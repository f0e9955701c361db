"""Attention as an explanation: which places of a person crop a keypoint depends on."""
