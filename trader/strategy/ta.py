"""TA-Lib without pandas.

TA-Lib imports pandas only to take and give its Series: a second of the first use, against a hundredth for all
the rest. Our indicators are of arrays, so it is imported here as if there were no pandas, and left out of the
modules again: a strategy that imports TA-Lib itself gets it whole, Series included. (Only ``talib.abstract``
stays without DataFrames, unless pandas was there first.)
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from functools import cache
from importlib.machinery import ModuleSpec
from threading import get_ident
from types import ModuleType
from typing import Any

_NAME = "talib"
_UNWANTED = ("pandas", "polars")


class _Without:
    """Finds no pandas for the thread that made it; other threads import it as always."""

    def __init__(self) -> None:
        self._thread = get_ident()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in _UNWANTED and get_ident() == self._thread:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


@cache
def talib() -> Any:
    """The module; the one that is imported already, if it is."""
    if _NAME in sys.modules or _UNWANTED[0] in sys.modules:
        return importlib.import_module(_NAME)
    finder = _Without()
    sys.meta_path.insert(0, finder)
    try:
        found = importlib.import_module(_NAME)
    finally:
        sys.meta_path.remove(finder)
    for name in (_NAME, f"{_NAME}.stream"):  # not the extension, which is made once in a process
        sys.modules.pop(name, None)
    return found
