"""/start_strategy: typed in one line, or put together with buttons.

The line is ``NAME SYMBOLS [INTERVAL] [key=value …]``; a ``?`` anywhere in it asks for what is still missing
and shows what would run, without starting anything. The buttons are such lines, so no state is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from handlers.common import tag_of, told
from handlers.message import Button, Line, Reply, Style
from handlers.preview import preview, risk_text
from handlers.registry import Call, Danger, command
from handlers.render.text import one_line
from handlers.symbols import joined, name_of, quoted, words_of_line
from handlers.typed import plain_digits
from trader.desk.commands import StartStrategy
from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.instrument import Instrument, Segment
from trader.domain.market import Interval
from trader.service.port import DeskPort, StrategyInfo
from trader.strategy.options import OPTIONS

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
        parts = [self.strategy, ",".join(quoted(symbol) for symbol in self.symbols), self.interval or ""]
        parts += [f"{key}={value}" for key, value in self.settings.items()]
        return " ".join(["/start_strategy", *(p for p in (*parts, *more.values()) if p)])


def wish(raw: str) -> Wish:
    """Symbols by commas or blanks, contracts as written, the interval anywhere. Raises InvalidInput."""
    name, *words = words_of_line(raw) or [""]
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
            symbols.append(word)
    return Wish(name, tuple(dict.fromkeys(joined(symbols))), interval, settings, asks="?" in words)


def _set(settings: dict[str, str], key: str, value: str) -> None:
    name = key.casefold()
    if not name or not value or "=" in value:
        raise InvalidInput(f"Expected key=value, was {one_line(f'{key}={value}', 40)!r}. Usage: {USAGE}")
    if name in settings:
        raise InvalidInput(f"{one_line(name, 40)} is given twice.")
    plain_digits(name, value)
    settings[name] = value


@command(
    "start_strategy",
    help="Start a strategy on one or more symbols",
    danger=Danger.ADDS_RISK,
    usage=USAGE,
    aliases=("run",),
    more="For instance /start_strategy ema_crossover RELIANCE,TCS 1m fast=9 slow=21 stop=1. It starts at "
    "once. Without symbols you are asked; with a ? it shows what would run and asks before it starts. "
    "Contracts as they are written, several by commas: NIFTY 26DEC 26000 CE, NIFTY 26DEC 26000 PE.",
)
async def start_strategy(desk: DeskPort, call: Call) -> Reply:
    asked = wish(call.raw)
    if not asked.strategy or asked.strategy == "?":
        return _which_strategy(desk)
    info = desk.strategy(asked.strategy)
    if not asked.symbols:
        return _which_symbols(desk, info, asked)
    asked = replace(asked, symbols=_named(desk, info, asked.symbols))
    if asked.asks and asked.interval is None:
        return _which_interval(desk, asked)
    if asked.asks:
        shown = preview(desk, info.name, asked.symbols, asked.interval or "", asked.settings)
        go = Button("Start", replace(asked, asks=False).line(), Style.SUCCESS)
        return replace(shown, buttons=((go, Button("Cancel", "/strategies")),))
    start = StartStrategy(info.name, asked.symbols, asked.interval and asked.interval.value, asked.settings)
    answer = await desk.ask(start, source_id=call.source_id, actor=call.actor)
    reply = told(answer)
    if not answer.ok or "₹" in answer.text or not (risk := risk_text(desk, desk.settled(start))):
        return reply
    return Reply((*reply.blocks, Line(f"{tag_of(desk)} · risk a trade: {risk}")))


def _named(desk: DeskPort, info: StrategyInfo, symbols: tuple[str, ...]) -> tuple[str, ...]:
    """The exchange's own names, so that what is shown, pressed and started is one and the same contract."""
    return tuple(dict.fromkeys(name_of(_found(desk, info, symbol)) for symbol in symbols))


def _found(desk: DeskPort, info: StrategyInfo, symbol: str) -> Instrument:
    try:
        return desk.find(symbol)
    except UnknownName:
        setting = symbol.casefold().replace(" ", "_")
        if setting in OPTIONS or setting in [param.name for param in info.params]:
            raise InvalidInput(f"{setting} is a setting, written {setting}=value. Usage: {USAGE}") from None
        if symbol.isdecimal() and symbol.isascii():
            raise InvalidInput(
                f"{one_line(symbol, 20)!r} is no symbol; an interval is written 5m. Usage: {USAGE}"
            ) from None
        raise


# -- the questions, each button a longer line ------------------------------------------------------------


def _which_strategy(desk: DeskPort) -> Reply:
    known = desk.strategies()
    blocks = [Line("Start which strategy?", bold=True)]
    blocks += [Line(f"{info.name}: {info.summary}" if info.summary else info.name) for info in known]
    return Reply(blocks, tuple((Button(info.name, f"/start_strategy {info.name} ?"),) for info in known))


def _which_symbols(desk: DeskPort, info: StrategyInfo, asked: Wish) -> Reply:
    offered = well_known(desk)
    blocks = [Line(f"{info.name} on which symbols?", bold=True)]
    if info.summary:
        blocks.append(Line(info.summary))
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


def well_known(desk: DeskPort) -> list[str]:
    """Symbols to offer: the big ones, where this market has them."""
    found = [symbol for symbol in WELL_KNOWN if _finds(desk, symbol)]
    if found:
        return found
    return [name_of(i) for i in desk.instruments() if i.segment is not Segment.INDEX][: len(WELL_KNOWN)]


def _finds(desk: DeskPort, symbol: str) -> bool:
    try:
        return desk.find(symbol).symbol == symbol
    except InvalidInput:
        return False


def _choice(asked: Wish, label: str, word: str) -> Button:
    return Button(label, asked.line(word=word, ask="?"))
