"""Import path used by the frozen tests/test_reference.py; see `transpose.attention.maps.capture`."""

from transpose.attention.maps.capture import capture as capture
