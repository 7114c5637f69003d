from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "strategy"))

from seeded_bars import walk


@pytest.fixture(scope="session")
def make_bars():
    """``make_bars(count, seed)``"""
    return walk
