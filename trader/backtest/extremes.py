"""A strategy with the extreme values its own parameters allow, and in markets with little in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trader.backtest.madeup import made_up_ticks
from trader.backtest.tickcheck import answers
from trader.backtest.trial import Trial, said
from trader.backtest.verdict import Finding, Grade
from trader.domain.errors import InvalidInput, StrategyFault
from trader.strategy.bars import Bars
from trader.strategy.param import Param, Value
from trader.strategy.strategy import Strategy


def extremes(strategy: Strategy, data: Sequence[Bars]) -> list[Finding]:
    """Every parameter at its lowest and highest beside the others as they are, then all at once. What
    ``check`` refuses with a sentence is right as it is."""
    tried = refused = 0
    faults: list[str] = []
    if not strategy.params():
        return []
    for values in _extreme_values(strategy):
        shown = ", ".join(f"{k}={v}" for k, v in values.items() if strategy.values()[k] != v)
        try:
            made = type(strategy)(**values)
            made.bars_needed(data[0].interval)
        except InvalidInput:
            refused += 1
            continue
        except (Exception, SystemExit) as e:
            faults.append(f"with {shown} it raised {type(e).__name__}: {e}")
            continue
        tried += 1
        try:
            if made.decides_on_bars():
                said(made, data)
            if made.decides_on_ticks():
                answers(made, made_up_ticks(200))
        except StrategyFault as e:
            faults.append(f"with {shown}: {e}")
    if faults:
        more = f" And {len(faults) - 1} more." if len(faults) > 1 else ""
        return [Finding(Grade.WARN, "Parameters", f"{faults[0]}.{more} Narrow their ranges.")]
    text = f"{tried} extreme settings run" + (f", {refused} are refused by check." if refused else ".")
    return [Finding(Grade.OK, "Parameters", text)]


def _extreme_values(strategy: Strategy) -> Iterator[dict[str, Value]]:
    usual, params = strategy.values(), strategy.params()
    ends = {name: _ends(param) for name, param in params.items()}
    for name, values in ends.items():
        for value in values:
            yield {**usual, name: value}
    yield {**usual, **{name: values[0] for name, values in ends.items() if values}}
    yield {**usual, **{name: values[-1] for name, values in ends.items() if values}}


def _ends(param: Param[Any]) -> list[Value]:
    if param.choices:
        return list(param.choices)
    if param.kind is bool:
        return [False, True]
    return [end for end in (param.low, param.high) if end is not None]


def poor_markets(trial: Trial) -> Finding:
    """A listing of this morning, a market that stands still, a day without volume: StrategyFault there would
    stop it in the middle of a session."""
    for name, data in _poor(trial.data):
        try:
            trial.ask(data)
        except StrategyFault as e:
            return Finding(Grade.FAIL, "Code", f"on {name}: {e}.")
    return Finding(Grade.OK, "Code", "stands new listings and markets that do not move.")


def _poor(data: Sequence[Bars]) -> Iterator[tuple[str, list[Bars]]]:
    for count in (1, 2, 3, 10):
        yield f"{count} bars" if count > 1 else "a single bar", [bars[:count] for bars in data]
    yield "a market that stands still", [_with(bars[:600], volume=0.0, price=100.0) for bars in data]
    yield "bars without volume", [_with(bars[:600], volume=0.0) for bars in data]


def _with(bars: Bars, volume: float, price: float | None = None) -> Bars:
    table = bars.table.copy()
    table[4] = volume
    if price is not None:
        table[:4] = np.float64(price)
    table.flags.writeable = False
    return Bars(bars.key, bars.interval, bars.start, table)
