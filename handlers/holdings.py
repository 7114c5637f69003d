"""/holdings: shares held for delivery."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from handlers.common import refresh, tag_of
from handlers.locks import name_of_key
from handlers.message import Line, Pre, Reply
from handlers.registry import Call, Danger, Role, command
from handlers.render.figures import price
from handlers.render.table import ends, table
from handlers.typed import no_more
from trader.domain.errors import InvalidInput
from trader.domain.funds import Holding
from trader.domain.instrument import InstrumentKey
from trader.domain.money import ZERO, decimal_of, rupees
from trader.domain.order import Product
from trader.domain.times import clock_text
from trader.service.port import DeskPort


@command(
    "holdings",
    help="Shares held for delivery",
    role=Role.VIEWER,
    danger=Danger.READ,
    more="What was bought yesterday and is still to be delivered (T1) stands behind a +. A – means no price.",
)
async def holdings(desk: DeskPort, call: Call) -> Reply:
    no_more(call.args, "/holdings")
    held = sorted(await desk.holdings(), key=lambda h: (h.key, h.product))
    head = Line(f"{tag_of(desk)} · holdings at {clock_text(desk.now())}", bold=True)
    if not held:
        return Reply((head, Line("Nothing is held for delivery.")), refresh("/holdings"))
    lasts = [_last(desk, h.key) for h in held]
    rows = [
        (name_of_key(h.key), _quantity(h), price(h.average_price), "–" if last is None else price(last))
        for h, last in zip(held, lasts, strict=True)
    ]
    apart = [_apart(h) for h in held]
    shown = table(rows, ("Symbol", "Qty", "Avg ₹", "Last ₹"), "<>>>", details=apart, whole=True)
    return Reply((head, Pre(shown), Pre(_total(held, lasts))), refresh("/holdings"))


def _quantity(holding: Holding) -> str:
    return f"{holding.quantity}+{holding.t1_quantity}" if holding.t1_quantity else str(holding.quantity)


def _apart(holding: Holding) -> list[str]:
    """What tells it from a line of the same share, and from one that was never there."""
    lines = ["MTF, partly the broker's money"] if holding.product is Product.MTF else []
    if holding.sold_today and not holding.quantity + holding.t1_quantity:
        lines.append(f"{holding.sold_today} sold today")
    return lines


def _last(desk: DeskPort, key: InstrumentKey) -> Decimal | None:
    """None also for what the list of instruments has not: an account may hold anything."""
    try:
        tick = desk.quote(key).tick
    except InvalidInput:
        return None
    return None if tick is None else decimal_of(tick.last)


def _total(held: Sequence[Holding], lasts: Sequence[Decimal | None]) -> str:
    """Cost and value of what has a price, so that the two can be compared."""
    units = [h.quantity + h.t1_quantity for h in held]
    priced = [
        (n, h.average_price, last) for n, h, last in zip(units, held, lasts, strict=True) if last is not None
    ]
    cost = sum((n * average for n, average, _ in priced), ZERO)
    value = sum((n * last for n, _, last in priced), ZERO)
    gain = value - cost
    lines = [
        ends("Paid", rupees(cost)),
        ends("Worth", rupees(value)),
        ends("Loss" if gain < 0 else "Gain", rupees(gain, signed=True)),
    ]
    if missing := len(held) - len(priced):
        lines.append(f"without {missing} that {'has' if missing == 1 else 'have'} no price")
    return "\n".join(lines if priced else lines[-1:])
