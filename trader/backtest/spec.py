"""What is tested: strategies with their settings on instruments, over a span, under the owner's limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from trader.desk.limits import RiskLimits
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval


@dataclass(frozen=True, slots=True)
class Leg:
    """One instance as the desk would run it: ``settings`` is the canonical text of every parameter and
    option (``trader.strategy.options.Configured.settings``), ``name`` what the desk would call it."""

    name: str
    strategy: str
    symbols: tuple[InstrumentKey, ...]
    interval: Interval
    settings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Spec:
    """``first`` and ``last`` are trading days, both included; candles before ``first`` only warm up.
    ``slippage_bps`` is lost by every market execution. ``charges`` off is for comparisons with others."""

    legs: tuple[Leg, ...]
    first: date | None = None
    last: date | None = None
    limits: RiskLimits = field(default_factory=RiskLimits)
    slippage_bps: float = 0.0
    charges: bool = True

    def __post_init__(self) -> None:
        if not self.legs:
            raise InvalidInput("Expected at least one strategy to test, was none")
        names = [leg.name for leg in self.legs]
        if len(set(names)) != len(names):
            raise InvalidInput(f"Expected different names for the strategies tested, were {', '.join(names)}")
        if self.first is not None and self.last is not None and self.first > self.last:
            raise InvalidInput(f"Expected the first day not after the last, was {self.first} to {self.last}")
