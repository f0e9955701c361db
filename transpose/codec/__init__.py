"""Keypoints as heatmaps: encoding of training targets and decoding of predictions, in heatmap pixels."""
