"""Import paths used by the frozen tests/test_reference.py; see `transpose.codec.decode` and `transpose.geometry`."""

from transpose.codec.decode import argmax_decode as argmax_decode
from transpose.codec.decode import dark_decode as dark_decode
from transpose.geometry import heatmap_to_image as heatmap_to_image
