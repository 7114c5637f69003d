"""A strategy that decides on ticks: it cannot look ahead, for it is shown one tick after the other. That it
runs, asks for something, and says the same of the same ticks can be seen."""

from __future__ import annotations

import time
from collections.abc import Sequence

from trader.backtest.verdict import Finding, Grade
from trader.domain.market import Tick
from trader.strategy.signals import Signal
from trader.strategy.strategy import Holding, Strategy

SLOW_TICK = 0.0005  # seconds: a busy feed brings a thousand ticks a second


def on_ticks(strategy: Strategy, ticks: Sequence[Tick]) -> list[Finding]:
    """Raises StrategyFault."""
    begun = time.perf_counter()
    first = answers(strategy.fresh(), ticks)
    each = (time.perf_counter() - begun) / max(len(first), 1)
    findings = [Finding(Grade.WARN if each > SLOW_TICK else Grade.OK, "Time", f"{each * 1e6:.1f} µs a tick.")]
    if answers(strategy.fresh(), ticks) != first:
        findings.append(
            Finding(Grade.FAIL, "Memory", "two objects answered differently to the same ticks: chance, or a"
                    " memory that all objects share.")
        )  # fmt: skip
    entries = sum(signal.enter_long or signal.enter_short for signal in first)
    text = f"{entries:,} entries asked for on {len(first):,} ticks."
    findings.append(Finding(Grade.OK if entries else Grade.WARN, "Signals", text))
    return findings


def answers(strategy: Strategy, ticks: Sequence[Tick]) -> list[Signal]:
    """What it says of every tick, holding what it asked for at the price of that moment."""
    holding = Holding()
    said: list[Signal] = []
    for tick in ticks:
        signal = strategy.evaluate_tick(tick, holding)
        said.append(signal)
        if (holding.quantity > 0 and signal.exit_long) or (holding.quantity < 0 and signal.exit_short):
            holding = Holding()
        elif not holding.quantity and signal.enter_long != signal.enter_short:
            holding = Holding(1 if signal.enter_long else -1, tick.last)
    return said
