"""Rendered people with exact COCO-format ground truth, made with numpy and OpenCV alone."""
