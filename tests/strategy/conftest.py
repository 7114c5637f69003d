from __future__ import annotations

import pytest
from seeded_bars import walk


@pytest.fixture(scope="session")
def make_bars():
    """``make_bars(count, seed)``"""
    return walk
