"""Words and lines of the day's messages, none wider than a phone shows."""

from __future__ import annotations

import textwrap
from decimal import Decimal

from trader.domain.money import rupees

WIDTH = 34  # columns of a chat line on a phone


def fold(line: str) -> list[str]:
    """``line`` in pieces of at most WIDTH columns; what goes on is indented."""
    return textwrap.wrap(line, WIDTH, subsequent_indent="  ", drop_whitespace=True) if line.strip() else []


def net_text(amount: Decimal) -> str:
    """``+₹1,234.56``."""
    return rupees(amount, signed=True)


def loss_word(slippage: Decimal) -> str:
    """Slippage is counted as a loss, so a negative one is a gain."""
    if slippage < 0:
        return f"{rupees(-slippage)} in our favour"
    return f"{rupees(slippage)} against us" if slippage else "none"
