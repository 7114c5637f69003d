"""/quote, and /wait for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from handlers.find import own_name, steps
from handlers.message import Button, Line, Pre, Reply, say
from handlers.registry import Call, Danger, Role, command
from handlers.render.figures import ago, moment, price
from handlers.render.table import table
from handlers.render.text import one_line
from handlers.symbols import name_of, quoted, symbols_in
from handlers.timetable import kind_text, not_live, phase_of
from handlers.typed import clock_today, duration, no_more
from trader.desk.view import QuoteView
from trader.domain.errors import InvalidInput
from trader.domain.instrument import Instrument, Segment
from trader.domain.money import decimal_of
from trader.domain.times import clock_text, day_text, ist
from trader.market.bands import price_band
from trader.market.calendar import Calendar
from trader.service.port import DeskPort

QUOTE_USAGE = "/quote SYMBOL…"
WAIT_USAGE = "/wait 30s, /wait 10:15 or /wait close"
MOST_QUOTES = 10
LONGEST_WAIT = timedelta(days=31)


@command(
    "quote",
    help="Last price, change, bid and ask, lot, tick, band",
    role=Role.VIEWER,
    danger=Danger.READ,
    usage=QUOTE_USAGE,
    aliases=("q",),
    more="Contracts as they are written: /quote NIFTY 8DEC 26000 CE. Several by blanks or commas: "
    "/quote RELIANCE TCS. In the closing auction there is no live price, and none is shown as one.",
)
async def quote(desk: DeskPort, call: Call) -> Reply:
    symbols = symbols_in(call.raw)
    if not symbols:
        some = ", ".join(i.symbol for i in desk.instruments()[:5])
        raise InvalidInput(
            f"Which symbol? Usage: {QUOTE_USAGE}" + (f"\nFor instance {some}." if some else "")
        )
    if len(symbols) > MOST_QUOTES:
        raise InvalidInput(f"{len(symbols)} symbols; {MOST_QUOTES} at a time is the most.")
    found = _instruments(desk, symbols, call.raw)
    now, calendar = ist(desk.now()), desk.calendar()
    quotes = [desk.quote(i.key) for i in found]
    rows = [_row(calendar, i, q, now) for i, q in zip(found, quotes, strict=True)]
    details = [_details(calendar, i, q, now) for i, q in zip(found, quotes, strict=True)]
    head = Line(f"Prices at {clock_text(now)}", bold=True)
    again = Button("Refresh", f"/quote {','.join(quoted(name_of(i)) for i in found)}")
    shown = table(rows, ("Symbol", "Last ₹", "Change"), "<>>", details=details, whole=True)
    return Reply((head, Pre(shown)), ((again,),))


def _instruments(desk: DeskPort, symbols: Sequence[str], raw: str) -> list[Instrument]:
    """Each once. Where the words are no symbols the whole line may be one: NIFTY 50."""
    try:
        return list({i.key: i for i in (desk.find(symbol) for symbol in symbols)}.values())
    except InvalidInput as unknown:
        if len(symbols) > 1:
            with suppress(InvalidInput):
                return [desk.find(raw)]
        raise unknown from None


def _row(calendar: Calendar, instrument: Instrument, quote: QuoteView, now: datetime) -> tuple[str, str, str]:
    if quote.tick is None:
        return name_of(instrument), "no price", ""
    if not_live(calendar, instrument, now):
        return name_of(instrument), "auction", ""
    return name_of(instrument), price(quote.tick.last), _change(quote)


def _change(quote: QuoteView) -> str:
    if quote.tick is None or not quote.previous_close:
        return "–"
    return f"{100 * (quote.tick.last / quote.previous_close - 1):+.2f}%"


def _details(calendar: Calendar, instrument: Instrument, quote: QuoteView, now: datetime) -> list[str]:
    lines = own_name(instrument)
    stale = not_live(calendar, instrument, now)
    kind = kind_text(calendar, instrument, now.date())
    lines += [kind, stale] if stale else [f"{kind}, {phase_of(calendar, instrument, now)}"]
    if tick := quote.tick:
        age = f"{ago(now - tick.at)} old"
        if stale:
            lines.append(f"last traded {price(tick.last)}, {age}")
        elif tick.bid > 0 and tick.ask > 0:
            lines += [f"bid {price(tick.bid)}, ask {price(tick.ask)}", age]
        else:
            lines.append(age)
    if instrument.segment is Segment.INDEX:
        return lines
    if instrument.expiry is not None:
        lines.append(f"expires {day_text(instrument.expiry)}")
    return [*lines, *steps(instrument), *_band(instrument, quote)]


def _band(instrument: Instrument, quote: QuoteView) -> list[str]:
    if not quote.previous_close:
        return []
    band = price_band(instrument, decimal_of(quote.previous_close))
    return [f"band {price(band[0])} to {price(band[1])}"] if band else []


@command(
    "wait",
    help="Let the market run: 30s of your time, or to a market time",
    danger=Danger.READ,
    usage=WAIT_USAGE,
    terminal_only=True,
    more="A duration is of your own time, at flat-out speed of the market's. close: until the session or "
    "the recording ends.",
)
async def wait(desk: DeskPort, call: Call) -> Reply:
    if not call.args:
        raise InvalidInput(f"Wait for what? Usage: {WAIT_USAGE}")
    word, *rest = call.args
    no_more(tuple(rest), WAIT_USAGE)
    before = desk.now()
    if word.casefold() == "close":
        after = await desk.wait()
    elif (length := duration(word)) is not None:
        if length > LONGEST_WAIT:
            raise InvalidInput(
                f"{one_line(word, 40)} is more than {LONGEST_WAIT.days} days, the longest wait there is; "
                f"try {LONGEST_WAIT.days * 24}h. Nothing was done."
            )
        after = await desk.wait(wall=length)
    elif (until := clock_today(word, before)) is not None:
        after = await desk.wait(until=until)
    else:
        raise InvalidInput(f"{one_line(word, 40)!r} is no duration and no time. Usage: {WAIT_USAGE}")
    return say(f"Market time {clock_text(before)} → {moment(after, seen_from=before)}")
