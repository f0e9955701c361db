"""Attention as one byte per value, on a logarithmic scale of multiples of uniform attention, compressed with zlib.

A value `v` (in multiples of uniform attention, 1 / L) is stored as code `1 + floor(steps * log2(v / floor))`, or 0 if
it is below the scale's floor. A code is restored as the geometric middle of its step, so the relative error is at most
`2 ** (1 / (2 * steps)) - 1`. Code 0 is restored as 0.
"""

import zlib
from dataclasses import dataclass

import numpy as np

_LARGEST_CODE = 255
_DEFLATE_LEVEL = 6


@dataclass(frozen=True)
class LogScale:
    """A one-byte logarithmic scale: `steps` codes per doubling, starting at `floor` multiples of uniform attention."""

    floor: float
    steps: int

    @property
    def largest_error(self) -> float:
        """Largest relative error |restored - value| / value of values not below the floor."""
        return 2 ** (1 / (2 * self.steps)) - 1

    def quantise(self, multiples: np.ndarray) -> np.ndarray:
        """Return uint8 codes of attention [...] in multiples of uniform attention.

        Larger values are clipped to code 255. Attention over L cells is at most L multiples, far below that code.
        """
        with np.errstate(divide="ignore"):
            steps = np.floor(np.log2(multiples / np.float32(self.floor)) * self.steps)
        return np.clip(steps + 1, 0, _LARGEST_CODE).astype(np.uint8)

    def restore(self, codes: np.ndarray) -> np.ndarray:
        """Return multiples of uniform attention [...] float64 from codes [...]; 0 where they are below the floor."""
        middles = self.floor * 2 ** ((codes.astype(np.float64) - 0.5) / self.steps)
        return np.where(codes > 0, middles, 0.0)


def pack(codes: np.ndarray) -> bytes:
    """Return codes [...] as a zlib stream, in C order."""
    return zlib.compress(codes.tobytes(), _DEFLATE_LEVEL)


def unpack(packed: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Return uint8 codes of `shape` from the output of `pack`."""
    return np.frombuffer(zlib.decompress(packed), dtype=np.uint8).reshape(shape)
