"""Import path used by the frozen tests/test_reference.py; see `transpose.codec.encode`."""

from transpose.codec.encode import gaussian_heatmaps as gaussian_heatmaps
