"""Importing a library without what it imports besides and is not used for here."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from threading import get_ident
from types import ModuleType


class Without:
    """Finds none of ``unwanted`` for the thread that made it; other threads import them as always."""

    def __init__(self, unwanted: Sequence[str]) -> None:
        self._unwanted = frozenset(unwanted)
        self._thread = get_ident()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in self._unwanted and get_ident() == self._thread:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def imported(name: str, *, without: Sequence[str]) -> ModuleType:
    """The module, imported as if ``without`` were not installed; what is there already is left as it is."""
    finder = Without(without)
    sys.meta_path.insert(0, finder)
    try:
        return importlib.import_module(name)
    finally:
        sys.meta_path.remove(finder)


def numba() -> ModuleType:
    """Without SciPy, which Numba looks for before it compiles anything, for a third of a second, and again by
    itself where matrices are multiplied."""
    imported("numba.np.arraymath", without=("scipy",))  # the part that looks
    return sys.modules["numba"]
