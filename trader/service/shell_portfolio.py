"""``bot.py portfolio``: several strategies together, and how the capital is shared out among them.

    ema_crossover:RELIANCE,INFY fast=9 supertrend:SBIN width=2 5m 1y weigh=hrp

Settings before the first strategy are for all of them, those after one are its own.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from trader.domain.errors import InvalidInput
from trader.domain.times import IST
from trader.service.settings import Settings
from trader.service.shell import (
    FINE,
    bullet,
    console,
    disbelieved,
    shelf_of,
    show,
    source_of,
    spanned,
    spec_for,
    table,
    told,
)
from trader.strategy.catalogue import Catalogue

if TYPE_CHECKING:
    from rich.console import Console

    from trader.backtest.allocation import Returns, Weights
    from trader.backtest.asked import Asked
    from trader.backtest.bench import Bench
    from trader.backtest.outcome import Tell
    from trader.backtest.result import Result
    from trader.backtest.spec import Leg, Spec
    from trader.backtest.trials.evaluate import Span

USAGE: Final = (
    "bot.py portfolio ema_crossover:RELIANCE,INFY [key=value …] supertrend:SBIN [key=value …] INTERVAL 1y "
    "[weigh=equal|inverse_volatility|kelly|risk_parity|hrp|max_sharpe] [holdout=50] [cap=50] [data=FOLDER]"
)
HOLD_OUT_PCT: Final = 50.0  # of the days: the shares are found on those before
_MOST = 12  # strategies, for the table of how alike they are


@dataclass(slots=True)
class _Part:
    strategy: str
    symbols: str
    settings: list[str] = field(default_factory=list)


def run(settings: Settings, catalogue: Catalogue, words: Sequence[str]) -> int:
    from trader.backtest.allocation import CAP
    from trader.backtest.asked import OWN, RULES, again, only
    from trader.backtest.bench import Wanted, begin, keep
    from trader.backtest.work import number

    own = [word for word in words if word.partition("=")[0].casefold() in OWN and "=" in word]
    parts, common = _parts([word for word in words if word not in own])
    today = datetime.now(IST).date()
    each = [_asked(part, [*common, *own], today) for part in parts]
    only(each[0].own, (*RULES, "weigh", "holdout", "cap"), USAGE)
    each = spanned(settings, each, today)
    spec = _spec(settings, catalogue, each)
    share = number("holdout", each[0].own.get("holdout", f"{HOLD_OUT_PCT:g}"), 0, 90) / 100
    cap = number("cap", each[0].own.get("cap", f"{100 * CAP:g}"), 1, 100) / 100
    line = shlex.join(again(["portfolio", *words], each[0]))
    source = source_of(settings, each[0].own.get("data"))
    with told() as tell:
        bench = begin(Wanted.of(spec, source, catalogue), catalogue, tell)
        days = bench.backtester.panel.timetable.dates
        found = _shared(bench, spec, _spans(spec, days, share), each[0].own.get("weigh", "equal"), cap, tell)
        outcome = None if found.result is None else keep(bench, found.result, shelf_of(settings), tell, line)
    if outcome is not None:
        disbelieved(console(), outcome.notes)
    _show(console(), found, each[0].counted)
    if outcome is None:
        console().print("No strategy got a share of the capital, so nothing was traded.")
    else:
        show(outcome, line)
    return FINE


# -- what was typed ---------------------------------------------------------------------------------------


def _parts(words: Sequence[str]) -> tuple[list[_Part], list[str]]:
    """The strategies with their own settings, and what is meant for all."""
    parts: list[_Part] = []
    common: list[str] = []
    for word in words:
        name, colon, symbols = word.partition(":")
        if "=" in word:
            (parts[-1].settings if parts else common).append(word)
        elif colon and symbols:
            parts.append(_Part(name, symbols))
        else:
            common.append(word)
    if not parts:
        raise InvalidInput(f"Expected strategies with their symbols, NAME:SYMBOLS. Usage: {USAGE}")
    if len(parts) > _MOST:
        raise InvalidInput(f"Expected at most {_MOST} strategies, were {len(parts)}")
    return parts, common


def _asked(part: _Part, common: Sequence[str], today: date) -> Asked:
    """Its own settings instead of the common ones of that name."""
    from trader.backtest.asked import asked

    mine = {word.partition("=")[0].casefold() for word in part.settings}
    others = [word for word in common if "=" not in word or word.partition("=")[0].casefold() not in mine]
    return asked([part.strategy, *part.symbols.split(","), *others, *part.settings], today, USAGE)


def _spec(settings: Settings, catalogue: Catalogue, each: Sequence[Asked]) -> Spec:
    """Each strategy a leg of its own name, under the limits of all."""
    specs = [spec_for(settings, catalogue, one) for one in each]
    legs: list[Leg] = []
    for one in specs:
        leg = one.legs[0]
        before = sum(other.strategy == leg.strategy for other in legs)
        legs.append(replace(leg, name=f"{leg.name}-{before + 1}") if before else leg)
    return replace(specs[0], legs=tuple(legs))


# -- the test ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shared:
    """``result`` is None where no strategy got a share, ``equal`` where that was asked for anyway."""

    spec: Spec
    returns: Returns
    weights: Weights
    seen: Span
    unseen: Span | None
    result: Result | None
    equal: Result | None


def _spans(spec: Spec, dates: Sequence[date], share: float) -> tuple[Span, Span | None]:
    """The days to find the shares on, and those to trade them on; the same where none are held out."""
    from trader.backtest.trials.evaluate import Span, split

    days = [
        day
        for day in dates
        if (spec.first is None or day >= spec.first) and (spec.last is None or day <= spec.last)
    ]
    if not days:
        raise InvalidInput(f"Expected candles from {spec.first} to {spec.last or 'today'}, there are none.")
    return split(days, share) if share else (Span(days[0], days[-1]), None)


def _shared(
    bench: Bench, spec: Spec, spans: tuple[Span, Span | None], method: str, cap: float, tell: Tell
) -> _Shared:
    from trader.backtest.allocation import standalone, weigh

    seen, unseen = spans
    over = unseen or seen
    # Alone, a strategy that was stopped for its losses would look calm from then on.
    free = replace(spec.limits, max_drawdown_pct=Decimal(100))
    tell(0, 0, "testing each alone")
    returns = standalone(
        bench.backtester.run, replace(spec, first=seen.first, last=seen.last, limits=free)
    )  # fmt: skip
    tell(0, 0, "sharing out the capital")
    weights, equal = weigh(returns, method, cap=cap), weigh(returns, "equal", cap=cap)
    tell(0, 0, "testing all together")
    tested = replace(spec, first=over.first, last=over.last)
    result = _run(bench.backtester.run, weights, tested)
    against = None if weights.method == "equal" else _run(bench.backtester.run, equal, tested)
    return _Shared(spec, returns, weights, seen, unseen, result, against)


def _run(run: Callable[[Spec], Result], weights: Weights, spec: Spec) -> Result | None:
    from trader.backtest.allocation import apply

    return run(apply(weights, spec)) if any(weights.shares) else None


# -- what is shown ----------------------------------------------------------------------------------------


def _show(screen: Console, found: _Shared, counted: str) -> None:
    from trader.backtest.allocation import METHODS

    screen.print("How alike they are (correlation of daily profits, each alone)", style="bold")
    numbered = [f"{n} {name}" for n, name in enumerate(found.returns.names, start=1)]
    head = ("", *(str(n) for n in range(1, len(numbered) + 1)))
    alike = found.returns.correlation
    rows = [(name, *(_two(value) for value in alike[n])) for n, name in enumerate(numbered)]
    table(screen, head, rows, "<" + ">" * len(numbered))
    method = found.weights.method
    screen.print(f"Shares of the capital by {method}: {METHODS[method]}", style="bold")
    screen.print(f"Found on {found.seen}, of {counted}" if counted else f"Found on {found.seen}")
    table(screen, ("", "On", "Alone", "Sharpe", "Share"), _shares(found), "<<>>>")
    for note in found.weights.notes:
        bullet(screen, note)
    if found.unseen is None and method != "equal":
        bullet(screen, "The shares were chosen knowing these days (holdout=0): believe none of it.")
    if found.result is not None and found.equal is not None:
        screen.print(f"On {found.unseen or found.seen}", style="bold")
        table(screen, ("", method, "equal"), _against(found.result, found.equal), "<>>")


def _shares(found: _Shared) -> list[tuple[str, ...]]:
    import math

    from trader.backtest.report.words import money, percent, plain
    from trader.backtest.trials.goal import sharpe_daily
    from trader.domain.instrument import symbols_text

    capital = float(found.spec.limits.capital)
    rows = []
    for n, leg in enumerate(found.spec.legs):
        column = found.returns.table[:, n]
        rows.append(
            (
                leg.name,
                symbols_text(leg.symbols),
                money(float(column.sum()) * capital),
                plain(sharpe_daily(column) * math.sqrt(252)),
                percent(found.weights.shares[n]),
            )
        )
    return [*rows, ("cash", "", "", "", percent(found.weights.cash))]


def _against(one: Result, other: Result) -> list[tuple[str, ...]]:
    from trader.backtest.metrics import numbers
    from trader.backtest.report.words import money, percent, plain

    figures = numbers(one), numbers(other)
    nothing = float("nan")

    def row(label: str, name: str, write: Callable[[float], str]) -> tuple[str, ...]:
        return (label, *(write(found.get(name, nothing)) for found in figures))

    return [
        row("Net", "net", money),
        row("Return", "return", lambda value: percent(value, 2, signed=True)),
        row("Sharpe", "sharpe", plain),
        row("Drawdown", "max_drawdown", lambda value: percent(-value, 2)),
        row("Trades", "trades", lambda value: plain(value, 0)),
        row("Charges", "charges", lambda value: money(value, signed=False)),
    ]


def _two(value: float) -> str:
    from trader.backtest.report.words import plain

    return plain(value).replace("-0.00", "0.00")
