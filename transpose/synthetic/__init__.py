"""Rendered people with exact COCO-format ground truth, using only numpy and OpenCV."""
