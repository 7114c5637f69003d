"""One trial of a search: settings and a span in, a Result out. What searches know of the kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

import numpy as np

from trader.backtest.report.daily import date_of, day_of
from trader.backtest.result import Result
from trader.backtest.spec import Leg, Spec
from trader.domain.errors import InvalidInput
from trader.domain.times import date_text
from trader.strategy.options import parse_settings
from trader.strategy.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Span:
    """Trading days, both included; None is as far as the candles go."""

    first: date | None = None
    last: date | None = None

    def __str__(self) -> str:
        first = f"{date_text(self.first)}" if self.first else "the first candle"
        last = f"{date_text(self.last)}" if self.last else "the last candle"
        return f"{first} to {last}"


EVERYTHING = Span()


class Evaluate(Protocol):
    """A pure function: the same settings and span, the same Result. ``settings`` are texts and may name some
    only. Raises InvalidInput for settings the strategy refuses, StrategyFault when its code fails."""

    def __call__(self, settings: Mapping[str, str], span: Span, /) -> Result: ...


def on_spec(run: Callable[[Spec], Result], spec: Spec, strategy: type[Strategy]) -> Evaluate:
    """Trials of ``spec``, in which every leg of ``strategy`` gets the trial's settings over its own; ``run``
    is a Backtester's."""
    if all(leg.strategy != strategy.name for leg in spec.legs):
        names = ", ".join(leg.strategy for leg in spec.legs)
        raise InvalidInput(f"Expected a leg that runs {strategy.name}, were {names}")

    def evaluate(settings: Mapping[str, str], span: Span) -> Result:
        legs = tuple(_with(leg, strategy, settings) for leg in spec.legs)
        return run(replace(spec, legs=legs, first=span.first, last=span.last))

    return evaluate


def _with(leg: Leg, strategy: type[Strategy], settings: Mapping[str, str]) -> Leg:
    if leg.strategy != strategy.name:
        return leg
    merged = parse_settings(strategy, {**dict(leg.settings), **settings})
    return replace(leg, settings=merged.settings)


def trading_days(result: Result) -> list[date]:
    """The days a Result went through."""
    return [date_of(int(day)) for day in np.unique(day_of(result.at))]


def split(days: Sequence[date], share: float = 0.25) -> tuple[Span, Span]:
    """The days a search may see, and the last ``share`` of them, which it never does."""
    if not 0.0 < share < 1.0:
        raise InvalidInput(f"Expected a part between 0 and 1 to be held out, was {share:g}")
    cut = round(len(days) * (1.0 - share))
    if not 0 < cut < len(days):
        raise InvalidInput(f"Expected more days to hold {share:.0%} of them out, were {len(days)}")
    return Span(days[0], days[cut - 1]), Span(days[cut], days[-1])
