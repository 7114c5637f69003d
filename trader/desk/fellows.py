"""Words on the orders of one decision, which are entered whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from trader.domain.instrument import symbol_of
from trader.domain.order import Order

_WHOLE = "one decision, all or none."


def none_of(others: Sequence[str]) -> str:
    """What becomes of the ``others``, keys, when one of a decision is denied."""
    return f"{_are(others)} not entered either: {_WHOLE}"


def also_left(fellows: Sequence[Order]) -> str:
    """What becomes of those that were entered with an order that came to nothing."""
    return taken_out([order.key for order in fellows])


def taken_out(others: Sequence[str]) -> str:
    """What becomes of the ``others``, keys, when one of a decision cannot stay."""
    return f"\n{_are(others)} taken out again: {_WHOLE}" if others else ""


def _are(keys: Sequence[str]) -> str:
    symbols = [symbol_of(key) for key in keys]
    names = " and ".join(filter(None, (", ".join(symbols[:-1]), symbols[-1])))
    return f"{names} {'is' if len(symbols) == 1 else 'are'}"
