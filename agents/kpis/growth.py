"""Arrays that grow as numbered things come."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


def grown(values: NDArray[Scalar], length: int) -> NDArray[Scalar]:
    """Return an array of at least `length` along the first axis, zero where it is new; doubled, so that it is rare."""
    if length <= len(values):
        return values
    more = np.zeros((max(length, 2 * len(values)) - len(values), *values.shape[1:]), dtype=values.dtype)
    return np.concatenate((values, more))
