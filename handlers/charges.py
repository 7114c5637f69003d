"""/charges: the day's contract note, order by order if wanted, and what a trade would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from handlers.common import tag_of
from handlers.days import day_asked, day_of
from handlers.message import Button, Line, Pre, Reply
from handlers.orders import sent
from handlers.registry import Call, Danger, Role, command
from handlers.render.figures import price
from handlers.render.table import ends, table
from handlers.whatif import what_if
from trader.domain.counting import counted
from trader.domain.errors import InvalidInput
from trader.domain.instrument import symbol_of
from trader.domain.money import ZERO, rupees
from trader.domain.order import Order, Tag
from trader.domain.times import day_text, ist
from trader.market.note import Breakdown, ContractNote, Executed
from trader.service.port import DeskPort

USAGE = "/charges [order] [day], or /charges SYMBOL QUANTITY [PRICE] [PRODUCT]"
_ALL = 1_000_000  # orders of a day: their times are looked up by tag
MOST_ORDERS = 40  # in one answer; the sums are of all
_BY_ORDER = ("order", "orders")
_SHORT = {"Brokerage": "brok", "Exchange": "exch", "SEBI fee": "SEBI", "Stamp duty": "stamp"}


@command(
    "charges",
    help="A day's contract note, or what a trade would cost",
    role=Role.VIEWER,
    danger=Danger.READ,
    usage=USAGE,
    more="Of today, or of a day: /charges 23 Nov. /charges order lists it order by order. "
    "/charges RELIANCE 100 1420 MIS works out what buying and selling 100 at 1,420 would cost, and how far "
    "the price must move to pay for it; without a price at the last one, without a product intraday.",
)
async def charges(desk: DeskPort, call: Call) -> Reply:
    today = ist(desk.now()).date()
    by_order = bool(call.args) and call.args[0].casefold() in _BY_ORDER
    words = " ".join(call.args[by_order:])
    day = _day(words, today, only_days=by_order)
    if day is None:
        return what_if(desk, call.raw, USAGE)
    if day > today:
        raise InvalidInput(f"{day_text(day)} lies ahead; it has no charges yet. Nothing was done.")
    note = await desk.note(None if day == today else day)
    if by_order:
        latest = {order.tag: order for order in await desk.orders(note.day, _ALL)}
        shown = _orders(desk, note, latest)
    else:
        shown = _note(desk, note)
    return Reply((Line(_head(desk, note), bold=True), *shown), _buttons(desk, note, by_order))


def _day(words: str, today: date, *, only_days: bool) -> date | None:
    """The day asked for, today without a word; None when the words are something else than a day."""
    if not words:
        return today
    # What begins like a date is a mistyped date, and no symbol: 5PAISA and 360ONE have letters, no dashes.
    first = words.split()[0]
    dated = first[0] in "0123456789" and (first.isdecimal() or not first.isalnum())
    return day_asked(words, today) if only_days or dated else day_of(words, today)


def _head(desk: DeskPort, note: ContractNote) -> str:
    return f"{tag_of(desk)} · charges of {day_text(note.day)}"


def _buttons(desk: DeskPort, note: ContractNote, by_order: bool) -> tuple[tuple[Button, ...], ...]:
    words = "/charges order" if by_order else "/charges"
    before = desk.calendar().previous_trading_day(note.day)
    other = Button("The note", f"/charges {note.day}") if by_order else Button(
        "By order", f"/charges order {note.day}"
    )  # fmt: skip
    earlier = Button(f"{before.day} {before:%b}", f"{words} {before}")
    return ((Button("Refresh", f"{words} {note.day}"), *((other,) if note.orders else ()), earlier),)


def _nothing(desk: DeskPort, note: ContractNote) -> Line:
    closed = desk.calendar().why_closed(note.day)
    return Line("No executed orders" + (f": closed, {closed}." if closed else "."))


# -- the note -------------------------------------------------------------------------------------------


def _note(desk: DeskPort, note: ContractNote) -> list[Line | Pre]:
    if not note.orders:
        return [_nothing(desk, note)]
    lines: list[str] = []
    for name, breakdown in note.segments.items():
        lines += _section(name, breakdown)
    if note.ledger.total:
        lines += _section("Outside the note", note.ledger)
    turnover = sum((executed.value for executed, _ in note.orders), ZERO)
    lines += [
        ends("Total", rupees(note.total)),
        ends("Turnover", rupees(turnover)),
        ends("Charges of turnover", percent_of(note.total, turnover)),
    ]
    return [Pre("\n".join(lines)), Line(f"{counted(len(note.orders), 'executed order')}.")]


def _section(name: str, breakdown: Breakdown) -> list[str]:
    return [
        ends(name, price(breakdown.total)),
        *(ends(f" {label}", price(amount)) for label, amount in breakdown.lines()),
    ]


def percent_of(part: Decimal, whole: Decimal) -> str:
    """``0.061 %``; nothing of nothing."""
    return f"{100 * part / whole:.3f} %" if whole else "–"


# -- by order -------------------------------------------------------------------------------------------


def _orders(desk: DeskPort, note: ContractNote, found: Mapping[Tag, Order]) -> list[Line | Pre]:
    if not note.orders:
        return [_nothing(desk, note)]
    latest = note.orders[-MOST_ORDERS:]
    rows = [(symbol_of(e.key), e.side, str(e.quantity), price(lines.total)) for e, lines in latest]
    shown = table(
        rows,
        ("Symbol", "Side", "Qty", "Charges"),
        "<<>>",
        details=[_details(executed, lines, found) for executed, lines in latest],
        whole=True,
    )
    booked = sum((lines.total for _, lines in note.orders), ZERO)
    earlier = [f"{len(note.orders) - len(latest)} earlier orders"] if len(latest) < len(note.orders) else []
    lines = [*earlier, shown, ends(f"{len(note.orders)} orders", price(booked))]
    if note.ledger.dp:  # of a scrip's day, not of an order
        lines.append(ends("Depository", price(note.ledger.dp)))
    if rest := note.total - booked - note.ledger.dp:
        lines.append(ends("Note rounding", price(rest, signed=True)))
    return [Pre("\n".join([*lines, ends("Total", rupees(note.total))]))]


def _details(executed: Executed, lines: Breakdown, found: Mapping[Tag, Order]) -> Sequence[str]:
    times = sent(executed.at, found.get(Tag(executed.tag)))
    of = f"{executed.product} {times}, value {price(executed.value)}"
    parts = ", ".join(f"{_SHORT.get(label, label)} {price(amount)}" for label, amount in lines.lines())
    return [of, parts]
