"""What is not a contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trader.domain.instrument import InstrumentKey


class Cash(NamedTuple):
    """Stocks and indices, column by column; names in capitals."""

    keys: Sequence[InstrumentKey]
    symbols: Sequence[str]
    names: Sequence[str]
