"""The import path of tests/test_reference.py, which is frozen: see `transpose.attention.maps.capture`."""

from transpose.attention.maps.capture import capture as capture
