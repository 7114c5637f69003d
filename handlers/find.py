"""/find and /chain: what there is to trade, and an underlying's options around the money."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from handlers.days import day_of
from handlers.message import Button, Line, Pre, Reply
from handlers.registry import Call, Danger, Role, command
from handlers.render.figures import price
from handlers.render.table import table
from handlers.render.text import one_line
from handlers.symbols import name_of
from handlers.timetable import kind_text, not_live
from trader.domain.counting import counted
from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.instrument import Instrument
from trader.domain.money import decimal_of, group_indian
from trader.domain.times import clock_text, day_text, ist
from trader.market.contracts import OptionChain
from trader.service.port import DeskPort

FIND_USAGE = "/find TEXT"
CHAIN_USAGE = "/chain UNDERLYING [expiry]"
MOST_FOUND = 8
EACH_SIDE = 5  # strikes beside the money
_MONTH = re.compile(
    r"(?:[0-9]{2} ?)?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*", re.IGNORECASE
)


@command(
    "find",
    help="Instruments by a part of their symbol or name",
    role=Role.VIEWER,
    danger=Danger.READ,
    usage=FIND_USAGE,
    aliases=("f",),
    more="For instance /find hdfc, or /find nifty 26dec 26000.",
)
async def find(desk: DeskPort, call: Call) -> Reply:
    text = call.raw.strip()
    if not text:
        raise InvalidInput(f"Find what? Usage: {FIND_USAGE}")
    found = list(desk.search(text, MOST_FOUND + 1)) or [desk.find(text)]
    shown = found[:MOST_FOUND]
    rows = [(name_of(i), last_text(desk, i)) for i in shown]
    pre = Pre(table(rows, ("Symbol", "Last ₹"), "<>", details=[traits(i, desk) for i in shown], whole=True))
    further = len(found) > len(shown)
    more = [Line("There are more; say more of it.")] if further else []
    first = "first " if further else ""
    head = Line(f"{first}{counted(len(shown), 'match', 'matches')}: {one_line(text, 40)}", bold=True)
    return Reply((head, pre, *more))


def last_text(desk: DeskPort, instrument: Instrument) -> str:
    """The last price; a word instead where it is none of now, a dash where nobody has asked for one yet."""
    tick = desk.quote(instrument.key).tick
    if tick is None:
        return "–"
    return "auction" if not_live(desk.calendar(), instrument, desk.now()) else price(tick.last)


def traits(instrument: Instrument, desk: DeskPort) -> list[str]:
    """What it is, and the steps it is traded in; a line each."""
    kind = kind_text(desk.calendar(), instrument, ist(desk.now()).date())
    lines = own_name(instrument)
    if instrument.expiry is not None:
        lines.append(f"{kind} of {instrument.underlying}, {day_text(instrument.expiry)}")
        if instrument.strike is not None:
            lines.append(f"strike {strike_text(instrument.strike)} {instrument.option_type}")
    else:
        lines.append(kind)
    return [*lines, *steps(instrument)]


def own_name(instrument: Instrument) -> list[str]:
    """A company's name; a contract has its underlying's, an index often its symbol again."""
    named = instrument.name and instrument.expiry is None and instrument.name != instrument.symbol
    return [instrument.name] if named else []


def steps(instrument: Instrument) -> list[str]:
    """Lot, tick and freeze quantity, as far as they say anything."""
    parts = [f"lot {instrument.lot_size}"] if instrument.lot_size > 1 else []
    if instrument.tick_size:
        parts.append(f"tick {price(instrument.tick_size)}")
    if instrument.freeze_quantity:
        parts.append(f"freeze {group_indian(str(instrument.freeze_quantity))}")
    return [", ".join(parts)] if parts else []


def strike_text(strike: Decimal) -> str:
    return f"{strike.normalize():f}"


# -- the chain ------------------------------------------------------------------------------------------


@command(
    "chain",
    help="Calls and puts of an underlying around the money",
    role=Role.VIEWER,
    danger=Danger.READ,
    usage=CHAIN_USAGE,
    more="Of the nearest expiry, or of one: /chain NIFTY 8DEC, /chain BANKNIFTY DEC. The money is marked; "
    "a dash: nothing has been heard of that contract.",
)
async def chain(desk: DeskPort, call: Call) -> Reply:
    if not call.args:
        raise InvalidInput(f"Of what? For instance /chain NIFTY. Usage: {CHAIN_USAGE}")
    found = _chain(desk, call.args)
    spot, said = _spot(desk, found)
    shown = found.around(spot if spot is not None else _middle(desk, found), EACH_SIDE)
    money = found.at_the_money(spot) if spot is not None else None
    rows = [
        (_side(desk, call_), f"{'▸' if strike == money else ''}{strike_text(strike)}", _side(desk, put))
        for strike, (call_, put) in shown.strikes.items()
    ]
    one = next((i for sides in shown.strikes.values() for i in sides if i is not None), None)
    blocks: list[Line | Pre] = [
        Line(f"{found.underlying} {day_text(found.expiry)}", bold=True),
        Line(f"{said} at {clock_text(desk.now())}"),
        Pre(table(rows, ("Call ₹", "Strike", "Put ₹"), ">>>")),
        *(Line(f"Of {len(found)} strikes; {text}.") for text in (steps(one) if one else [])),
    ]
    return Reply(blocks, ((Button("Refresh", f"/chain {found.underlying} {found.expiry}"),),))


def _chain(desk: DeskPort, words: Sequence[str]) -> OptionChain:
    """By ``NIFTY``, ``NIFTY 8DEC``, ``NIFTY 50 8 Dec 2026``, ``BANKNIFTY DEC``."""
    today = ist(desk.now()).date()
    for n in range(1, len(words)):
        underlying, rest = " ".join(words[:n]), " ".join(words[n:])
        day = day_of(rest, today)
        if day is None and not _MONTH.fullmatch(rest):
            continue
        return _of_expiry(desk, underlying, rest, day)
    return desk.chain(" ".join(words))


def _of_expiry(desk: DeskPort, underlying: str, words: str, day: date | None) -> OptionChain:
    """``26DEC`` may be a day, or Kite's name of December 2026: that month's future knows its last expiry."""
    try:
        if day is not None:
            return desk.chain(underlying, day)
    except UnknownName:
        raise
    except InvalidInput as no_such_day:
        if not _MONTH.fullmatch(words):
            raise
        try:
            return desk.chain(underlying, desk.find(f"{underlying} {words} FUT").expiry)
        except InvalidInput:
            raise no_such_day from None
    return desk.chain(underlying, desk.find(f"{underlying} {words} FUT").expiry)


def _spot(desk: DeskPort, found: OptionChain) -> tuple[Decimal | None, str]:
    """The underlying's last price and how to say it."""
    try:
        instrument = desk.find(found.underlying)
    except InvalidInput:
        return None, f"{found.underlying} has no price"
    tick = desk.quote(instrument.key).tick
    if tick is None or tick.last <= 0:
        return None, f"{instrument.symbol} has no price yet: the middle strikes"
    stale = not_live(desk.calendar(), instrument, desk.now())
    return decimal_of(tick.last), f"{instrument.symbol} {price(tick.last)}{f' ({stale})' if stale else ''}"


def _middle(desk: DeskPort, found: OptionChain) -> Decimal:
    """Where call and put cost about the same, else the middle of the list."""
    gaps: dict[Decimal, float] = {}
    for strike, (call_, put) in found.strikes.items():
        prices = [tick.last for i in (call_, put) if i is not None and (tick := desk.quote(i.key).tick)]
        if len(prices) == 2:
            gaps[strike] = abs(prices[0] - prices[1])
    strikes = list(found.strikes)
    return min(gaps, key=lambda s: gaps[s]) if gaps else strikes[len(strikes) // 2]


def _side(desk: DeskPort, instrument: Instrument | None) -> str:
    return "" if instrument is None else last_text(desk, instrument)
