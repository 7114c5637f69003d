"""TA-Lib without pandas.

TA-Lib imports pandas only to take and give its Series: a second of the first use, against a hundredth for all
the rest. Our indicators are of arrays, so it is imported here as if there were no pandas, and left out of the
modules again: a strategy that imports TA-Lib itself gets it whole, Series included. (Only ``talib.abstract``
stays without DataFrames, unless pandas was there first.)
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from typing import Any

from trader.strategy.sparing import imported

_NAME = "talib"


@cache
def talib() -> Any:
    """The module; the one that is imported already, if it is."""
    if _NAME in sys.modules or "pandas" in sys.modules:
        return importlib.import_module(_NAME)
    found = imported(_NAME, without=("pandas", "polars"))
    for name in (_NAME, f"{_NAME}.stream"):  # not the extension, which is made once in a process
        sys.modules.pop(name, None)
    return found
