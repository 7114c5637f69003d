"""Long curves drawn with few points, without losing a peak or a trough."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def kept(values: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Indexes to draw, ascending, at most ``most``: first, lowest, highest and last of equal stretches, so a
    fall of one candle is still seen. Everything where that is enough."""
    count = len(values)
    if count <= most:
        return np.arange(count)
    edges = np.linspace(0, count, max(most // 4, 1) + 1).astype(np.int64)
    found = set()
    for first, after in pairwise(edges):
        part = values[first:after]
        found |= {first, first + int(np.argmin(part)), first + int(np.argmax(part)), after - 1}
    return np.array(sorted(found), dtype=np.int64)
