"""What /start_strategy would start, before it does: sizes, exits, and who trades there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from handlers.common import is_live, tag_of
from handlers.message import Line, Pre, Reply
from handlers.render.table import pairs
from handlers.typed import whole_number
from trader.desk.commands import StartStrategy
from trader.domain.instrument import Instrument, symbol_of
from trader.domain.money import rupees
from trader.domain.order import Product
from trader.domain.records import DeskMode
from trader.domain.times import ist
from trader.market.phases import venue_of
from trader.service.port import DeskPort

_PERCENT = {"stop": "from entry", "target": "from entry", "trail": "behind the best"}
_SHOWN = (*_PERCENT, "product", "risk")


def preview(
    desk: DeskPort, strategy: str, symbols: Sequence[str], interval: str, settings: Mapping[str, str]
) -> Reply:
    """Without buttons. A typing mistake shows here, not after Start: raises InvalidInput."""
    instruments = [desk.find(symbol) for symbol in symbols]
    # Of what was not typed the strategy may have its own: a stop of 2 %, no target.
    settled = desk.settled(StartStrategy(strategy, tuple(symbols), interval or None, settings))
    rows = [("Strategy", strategy), ("Symbols", ", ".join(i.symbol for i in instruments))]
    if interval:
        rows.append(("Candles", interval))
    own = [param.name for info in desk.strategies() if info.name == strategy for param in info.params]
    rows += [(name, settled[name]) for name in own]
    rows += [(key, value) for key, value in sorted(settings.items()) if key not in (*_SHOWN, *own)]
    rows += _exits(settled)
    product = settled["product"]
    leaves = f", square-off {_squareoff(desk, instruments)}" if product == Product.MIS else ""
    rows.append(("Product", f"{product}{leaves}"))
    if risk := risk_text(desk, settled):
        rows.append(("Risk", f"{risk} a trade"))
    head = Line(f"{tag_of(desk)} · start this?", bold=True)
    warnings = [*_quantity_faults(settled, instruments), *_warnings(desk, strategy, instruments)]
    return Reply((head, Pre(pairs(rows)), *(Line(text) for text in warnings)))


def _exits(settled: Mapping[str, str]) -> list[tuple[str, str]]:
    """Stop and target always, a trailing stop when there is one."""
    rows = []
    for name, what in _PERCENT.items():
        none = _number(settled[name]) == 0
        if not (none and name == "trail"):
            rows.append((name.capitalize(), "none" if none else f"{settled[name]} % {what}"))
    return rows


def _number(text: str) -> Decimal | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _squareoff(desk: DeskPort, instruments: Sequence[Instrument]) -> str:
    """Of the trading day at hand, or of the next one when today is none."""
    calendar, today = desk.calendar(), ist(desk.now()).date()
    day = today if calendar.is_trading_day(today) else calendar.next_trading_day(today)
    times = {calendar.deadlines(day, venue_of(i)).squareoff_at for i in instruments}
    return " / ".join(f"{at:%H:%M}" for at in sorted(times))


def _quantity_faults(settings: Mapping[str, str], instruments: Sequence[Instrument]) -> list[str]:
    """Why a fixed quantity will not be taken: no whole lots, or more than the exchange takes at once."""
    quantity = whole_number(settings.get("quantity", "")) or 0
    lines = []
    for one in instruments:
        lot, freeze = one.lot_size, one.freeze_quantity
        if quantity % lot:
            near = max(quantity // lot, 1) * lot
            lines.append(
                f"quantity={quantity} will be refused: {one.symbol} trades in lots of {lot}; try {near}."
            )
        elif freeze is not None and quantity > freeze:
            lines.append(
                f"quantity={quantity} will be refused: the exchange takes at most {freeze // lot * lot} of "
                f"{one.symbol} in one order."
            )
    return lines


def _warnings(desk: DeskPort, strategy: str, instruments: Sequence[Instrument]) -> list[str]:
    view = desk.view()
    wanted = {i.key for i in instruments}
    lines = []
    for item in view.instances:
        running = item.instance
        both = [symbol_of(key) for key in running.symbols if key in wanted]
        if running.strategy.casefold() == strategy.casefold() and running.status.alive and both:
            state = running.status.lower()
            lines.append(
                f"{running.name} is {state} on {', '.join(both)} already: this would be a second one "
                "beside it, with positions and risk of its own."
            )
    if view.latch.mode is not DeskMode.ACTIVE:
        lines.append(f"The desk is {view.latch.mode}: it will not enter before /resume.")
    if is_live(desk.about()) and not view.armed:
        lines.append("The desk is disarmed: it will not enter before /live.")
    locked = {lock.key for lock in view.locks}
    if names := ", ".join(i.symbol for i in instruments if i.key in locked):
        lines.append(f"Locked: nothing is entered in {names} before your verdict, see /locks.")
    return lines


def risk_text(desk: DeskPort, settled: Mapping[str, str]) -> str:
    """Rupees one trade may lose to its stop; empty where the size is the owner's, not the risk's."""
    percent = _number(settled["risk"])
    if settled["quantity"] != "0" or percent is None:
        return ""
    capital = desk.view().capital
    return f"{rupees(capital * percent / 100, paise=False)} ({percent}% of {rupees(capital, paise=False)})"
