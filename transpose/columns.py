"""Tables whose columns are arrays of equal length."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np


@dataclass(frozen=True)
class Columns:
    """Base of dataclasses whose fields are all arrays [N, ...]: one row of each for every record."""

    def __len__(self) -> int:
        """Number of records N."""
        return len(getattr(self, fields(self)[0].name))

    def select(self, chosen: np.ndarray) -> Self:
        """Return the records selected by a mask [N] or by positions [n], in that order."""
        columns: dict[str, Any] = {field.name: getattr(self, field.name)[chosen] for field in fields(self)}
        return replace(self, **columns)
