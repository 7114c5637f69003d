"""Rupees. Money is Decimal from the fill onward; prices of the market stay floats until then."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

ZERO = Decimal(0)
PAISA = Decimal("0.01")


def to_paise(amount: Decimal) -> Decimal:
    """``amount`` in rupees, rounded half up to the paisa."""
    return amount.quantize(PAISA, ROUND_HALF_UP)


@lru_cache(maxsize=4096)  # what follows one price asks for its Decimal a dozen times
def decimal_of(price: float) -> Decimal:
    """A market price as Decimal, through its shortest text, so 101.1 stays 101.1."""
    return Decimal(repr(float(price)))


def rupees(amount: Decimal | float, *, signed: bool = False, paise: bool = True) -> str:
    """₹ with Indian grouping: ``rupees(Decimal("123456.78"))`` is ``₹1,23,456.78``.

    ``signed`` writes a plus before gains; ``paise=False`` rounds to whole rupees.
    """
    value = amount if isinstance(amount, Decimal) else decimal_of(amount)
    value = value.quantize(PAISA if paise else Decimal(1), ROUND_HALF_UP)
    sign = "-" if value < 0 else "+" if signed and value > 0 else ""
    whole, _, fraction = f"{abs(value):f}".partition(".")
    return f"{sign}₹{group_indian(whole)}{'.' + fraction if fraction else ''}"


def group_indian(digits: str) -> str:
    """Digits in lakh and crore groups: ``1234567`` becomes ``12,34,567``."""
    if len(digits) <= 3:
        return digits
    head, tail = digits[:-3], digits[-3:]
    groups = [tail]
    while head:
        groups.insert(0, head[-2:])
        head = head[:-2]
    return ",".join(groups)
