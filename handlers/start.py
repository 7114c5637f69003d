"""/start_strategy: typed in one line, or put together with buttons.

The line is ``NAME SYMBOLS [INTERVAL] [key=value …]``; a ``?`` anywhere in it asks for what is still missing
and shows what would run, without starting anything. The buttons are such lines, so no state is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from handlers.common import money_tag, told
from handlers.message import Button, Line, Pre, Reply, Style
from handlers.registry import Call, Danger, command
from handlers.render.table import pairs
from handlers.render.text import one_line
from trader.desk.commands import StartStrategy
from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.instrument import Segment, symbol_of
from trader.domain.market import Interval
from trader.domain.money import rupees
from trader.service.port import DeskPort, StrategyInfo

USAGE = "/start_strategy NAME SYMBOLS [INTERVAL] [key=value …]"
WELL_KNOWN = ("RELIANCE", "TCS", "INFY", "HDFCBANK", "ICICIBANK", "SBIN")
_INTERVALS = (Interval.M1, Interval.M5, Interval.M15)
_FAST = (Interval.S5, Interval.S15, Interval.M1, Interval.M5)  # a simulated market need not be waited for
_LOOKS_LIKE_INTERVAL = re.compile(r"[0-9]+(s|m|h|d|min|minute)|minute|day", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wish:
    """What was typed, sorted: ``asks`` is the question mark."""

    strategy: str = ""
    symbols: tuple[str, ...] = ()
    interval: Interval | None = None
    settings: dict[str, str] = field(default_factory=dict)
    asks: bool = False

    def line(self, **more: str) -> str:
        """The command that says this, and ``more``."""
        parts = [self.strategy, ",".join(self.symbols), self.interval or ""]
        parts += [f"{key}={value}" for key, value in self.settings.items()]
        return " ".join(["/start_strategy", *(p for p in (*parts, *more.values()) if p)])


def wish(raw: str) -> Wish:
    """Symbols by commas or spaces, the interval anywhere. Raises InvalidInput."""
    name, *words = re.sub(r"\s*([=,])\s*", r"\1", raw).split() or [""]
    symbols: list[str] = []
    interval: Interval | None = None
    settings: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if word == "?":
            continue
        if equals:
            _set(settings, key, value)
        elif _LOOKS_LIKE_INTERVAL.fullmatch(word):
            if interval is not None:
                raise InvalidInput(
                    f"Two intervals, {interval} and {one_line(word, 20)}; expected one. Usage: {USAGE}"
                )
            interval = Interval.parse(word)
        else:
            symbols += [part.upper() for part in word.split(",") if part]
    return Wish(name, tuple(dict.fromkeys(symbols)), interval, settings, asks="?" in words)


def _set(settings: dict[str, str], key: str, value: str) -> None:
    name = key.casefold()
    if not name or not value or "=" in value:
        raise InvalidInput(f"Expected key=value, was {one_line(f'{key}={value}', 40)!r}. Usage: {USAGE}")
    if name in settings:
        raise InvalidInput(f"{one_line(name, 40)} is given twice.")
    settings[name] = value


@command(
    "start_strategy",
    help="Start a strategy on one or more symbols",
    danger=Danger.ADDS_RISK,
    usage=USAGE,
    aliases=("run",),
    more="For instance /start_strategy ema_crossover RELIANCE,TCS 1m fast=9 slow=21 stop=1. It starts at "
    "once. Without symbols you are asked; with a ? it shows what would run and asks before it starts.",
)
async def start_strategy(desk: DeskPort, call: Call) -> Reply:
    asked = wish(call.raw)
    if not asked.strategy or asked.strategy == "?":
        return _which_strategy(desk)
    info = _known(desk, asked.strategy)
    if not asked.symbols:
        return _which_symbols(desk, info, asked)
    if asked.asks and asked.interval is None:
        return _which_interval(desk, asked)
    if asked.asks:
        return _summary(desk, asked)
    start = StartStrategy(info.name, asked.symbols, asked.interval and asked.interval.value, asked.settings)
    answer = await desk.ask(start, source_id=call.source_id, actor=call.actor)
    reply = told(answer)
    risk = _risk(desk, asked)
    if not answer.ok or not risk or "₹" in answer.text:
        return reply
    return Reply((*reply.blocks, Line(f"{money_tag(desk.about())} · risk a trade: {risk}")))


def _known(desk: DeskPort, name: str) -> StrategyInfo:
    found = {info.name.casefold(): info for info in desk.strategies()}
    if name.casefold() not in found:
        raise UnknownName("strategy", name[:40], [info.name for info in found.values()])
    return found[name.casefold()]


# -- the questions, each button a longer line ------------------------------------------------------------


def _which_strategy(desk: DeskPort) -> Reply:
    known = desk.strategies()
    blocks = [Line("Start which strategy?", bold=True)]
    blocks += [Line(f"{info.name}: {info.summary}") for info in known]
    return Reply(blocks, tuple((Button(info.name, f"/start_strategy {info.name} ?"),) for info in known))


def _which_symbols(desk: DeskPort, info: StrategyInfo, asked: Wish) -> Reply:
    traded = [i.symbol for i in desk.instruments() if i.segment is not Segment.INDEX]
    offered = [s for s in WELL_KNOWN if s in traded] or traded[: len(WELL_KNOWN)]
    blocks = [Line(f"{info.name} on which symbols?", bold=True), Line(info.summary)]
    if info.params:
        blocks.append(Line("Settings: " + ", ".join(f"{p.name}={p.default} ({p.span})" for p in info.params)))
    blocks.append(Line(f"Or type {asked.line()} SYMBOLS"))
    singles = [_choice(asked, symbol, symbol) for symbol in offered]
    rows = [tuple(singles[n : n + 3]) for n in range(0, len(singles), 3)]
    if len(offered) > 1:
        basket = offered[:3]
        rows.append((_choice(asked, " + ".join(basket), ",".join(basket)),))
    return Reply(blocks, tuple(rows))


def _which_interval(desk: DeskPort, asked: Wish) -> Reply:
    offered = _FAST if desk.about().market == "simulated" else _INTERVALS
    head = Line(f"{asked.strategy} on {', '.join(asked.symbols)}: which candles?", bold=True)
    return Reply((head,), (tuple(_choice(asked, interval, interval) for interval in offered),))


def _choice(asked: Wish, label: str, word: str) -> Button:
    return Button(label, asked.line(word=word, ask="?"))


def _summary(desk: DeskPort, asked: Wish) -> Reply:
    keys = [
        desk.quote(symbol).key for symbol in asked.symbols
    ]  # a typing mistake shows here, not after Start
    rows = [
        ("Strategy", asked.strategy),
        ("Symbols", ", ".join(symbol_of(key) for key in keys)),
        ("Candles", asked.interval or ""),
    ]
    rows += [(key, value) for key, value in sorted(asked.settings.items())]
    if risk := _risk(desk, asked):
        rows.append(("Risk", f"{risk} a trade"))
    head = Line(f"{money_tag(desk.about())} · start this?", bold=True)
    start = Button("Start", asked.line(), Style.SUCCESS)
    return Reply((head, Pre(pairs(rows))), ((start, Button("Cancel", "/strategies")),))


def _risk(desk: DeskPort, asked: Wish) -> str:
    """Rupees one trade may lose to its stop, as far as the options tell; empty if they don't."""
    if asked.settings.get("quantity", "0") != "0":
        return ""  # then the size is the owner's, not the risk's
    default = next((o.default for o in desk.options() if o.name == "risk"), "")
    try:
        percent = Decimal(asked.settings.get("risk", default).rstrip("%"))
    except InvalidOperation:
        return ""
    capital = desk.view().capital
    if not percent.is_finite():
        return ""
    return f"{rupees(capital * percent / 100, paise=False)} ({percent}% of {rupees(capital, paise=False)})"
