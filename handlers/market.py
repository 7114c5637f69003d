"""/quote, and /wait for the terminal."""

from __future__ import annotations

from datetime import timedelta

from handlers.message import Line, Pre, Reply, say
from handlers.registry import Call, Danger, Role, command
from handlers.render.figures import ago, moment, price
from handlers.render.table import table
from handlers.render.text import one_line
from handlers.typed import clock_today, duration, no_more
from trader.desk.view import QuoteView
from trader.domain.errors import InvalidInput
from trader.domain.instrument import symbol_of
from trader.domain.times import clock_text
from trader.service.port import DeskPort

QUOTE_USAGE = "/quote SYMBOL…"
WAIT_USAGE = "/wait 30s, /wait 10:15 or /wait close"
MOST_QUOTES = 10


@command(
    "quote",
    help="Last price, change, bid and ask",
    role=Role.VIEWER,
    danger=Danger.READ,
    usage=QUOTE_USAGE,
    aliases=("q",),
)
async def quote(desk: DeskPort, call: Call) -> Reply:
    symbols = call.raw.replace(",", " ").upper().split()
    if not symbols:
        some = ", ".join(i.symbol for i in desk.instruments()[:5])
        raise InvalidInput(
            f"Which symbol? Usage: {QUOTE_USAGE}" + (f"\nFor instance {some}." if some else "")
        )
    if len(symbols) > MOST_QUOTES:
        raise InvalidInput(f"{len(symbols)} symbols; {MOST_QUOTES} at a time is the most.")
    quotes = [desk.quote(symbol) for symbol in dict.fromkeys(symbols)]
    now = desk.now()
    rows = [(symbol_of(q.key), _last(q), _change(q)) for q in quotes]
    details = [_quote_details(q, now - q.tick.at) if q.tick else [q.name] for q in quotes]
    head = Line(f"Prices at {clock_text(now)}", bold=True)
    return Reply((head, Pre(table(rows, ("Symbol", "Last ₹", "Change"), "<>>", details=details))))


def _last(quote: QuoteView) -> str:
    return price(quote.tick.last) if quote.tick else "no price"


def _change(quote: QuoteView) -> str:
    if quote.tick is None or not quote.previous_close:
        return ""
    return f"{100 * (quote.tick.last / quote.previous_close - 1):+.2f}%"


def _quote_details(quote: QuoteView, age: timedelta) -> list[str]:
    tick = quote.tick
    if tick is None:
        return [quote.name]
    lines = [f"{quote.name}, {ago(age)} old" if quote.name else f"{ago(age)} old"]
    if tick.bid > 0 and tick.ask > 0:
        lines.append(f"bid {price(tick.bid)}, ask {price(tick.ask)}")
    return lines


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
        after = await desk.wait(wall=length)
    elif (until := clock_today(word, before)) is not None:
        after = await desk.wait(until=until)
    else:
        raise InvalidInput(f"{one_line(word, 40)!r} is no duration and no time. Usage: {WAIT_USAGE}")
    return say(f"Market time {clock_text(before)} → {moment(after, seen_from=before)}")
