"""A strategy at work: its record, its objects, what it heard; after a restart made of record and history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from trader.desk.portfolio import Slot
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Bar
from trader.domain.order import Owner, Side
from trader.domain.records import StrategyInstance
from trader.strategy import Bars, Signals, Strategy
from trader.strategy.joint import JointWindow
from trader.strategy.options import OPTIONS, Configured, Options, parse_settings
from trader.strategy.window import BarWindow

_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class WaitingEntry:
    """An entry that waits: for a position to be closed, for one bar at most, or for a second in which
    the broker takes it."""

    side: Side
    until: datetime


@dataclass(slots=True)
class Running:
    instance: StrategyInstance
    kind: type[Strategy]
    strategies: dict[InstrumentKey, Strategy]  # one object for each instrument, or the same for all
    options: Options
    windows: dict[InstrumentKey, BarWindow] = field(default_factory=dict)
    joint: JointWindow | None = None  # in place of windows, for a strategy that decides on all at once
    awaiting: set[InstrumentKey] = field(default_factory=set)  # history not here yet
    early: dict[InstrumentKey, list[Bar]] = field(default_factory=dict)  # closed before the history came
    ask_again: dict[InstrumentKey, datetime] = field(default_factory=dict)  # for history that will come later
    reversals: dict[InstrumentKey, WaitingEntry] = field(default_factory=dict)
    # Entries the second had no room for.
    deferred: dict[InstrumentKey, WaitingEntry] = field(default_factory=dict)

    @property
    def name(self) -> Owner:
        return self.instance.name

    @property
    def decides_on_bars(self) -> bool:
        return self.kind.decides_on_bars()

    @property
    def warmup(self) -> int:
        return max(s.bars_needed(self.instance.interval) for s in self.strategies.values())

    @property
    def history(self) -> int:
        """Bars to ask for of each instrument. Of those decided on together only bars that all have count."""
        return self.warmup * 2 if self.kind.together else self.warmup

    def slot(self, key: InstrumentKey) -> Slot:
        return Slot(self.instance.name, key, self.options.product)

    def new_joint(self) -> JointWindow:
        return JointWindow(self.instance.symbols, self.instance.interval, self.warmup)

    def take_early(self) -> list[Bar]:
        """All bars that wait, of all instruments, oldest first; they wait no more."""
        bars = sorted((bar for kept in self.early.values() for bar in kept), key=lambda bar: bar.start)
        self.early.clear()
        return bars


class _Unread(Strategy):
    """Stands in for code that cannot be had. Never asked: what it stands for has failed or is closing."""

    on_error = "keep"

    def signals(self, bars: Bars) -> Signals:
        return Signals()


def without_its_code(instance: StrategyInstance) -> Running:
    """So that a strategy whose file cannot be used is still seen, and what it holds can be closed. Of its
    settings the common options are kept; where they cannot be used, the defaults stand."""
    common = {name: value for name, value in instance.settings if name in OPTIONS}
    try:
        options = parse_settings(_Unread, common).options
    except InvalidInput:
        options = Options()
    return Running(instance, _Unread, {}, options)


def configure(
    kind: type[Strategy], settings: Mapping[str, str], defaults: Mapping[str, str] | None = None
) -> Configured:
    """Typed settings as values. InvalidInput for whatever is wrong with them, and for whatever the author's
    own code raises: it runs here for the first time, and nobody else is affected."""
    return _guarded(kind, lambda: parse_settings(kind, settings, defaults))


def require_together(kind: type[Strategy], symbols: Sequence[str]) -> None:
    """InvalidInput unless they are as many as it decides on at once."""
    if kind.together not in (0, len(symbols)):
        raise InvalidInput(f"{kind.name} needs {kind.together} symbols, was given {len(symbols)}")


def made(kind: type[Strategy], instance: StrategyInstance, configured: Configured) -> Running:
    """The objects of an instance; InvalidInput when the author's code raises, or for too few or too many
    symbols where it decides on several at once."""
    require_together(kind, instance.symbols)

    def make() -> Running:
        if kind.together:
            strategies = dict.fromkeys(instance.symbols, configured.strategy.fresh())
        else:
            strategies = {key: configured.strategy.fresh() for key in instance.symbols}
        running = Running(instance, kind, strategies, configured.options)
        BarWindow(instance.symbols[0], instance.interval, running.warmup)  # raises where begin would
        return running

    return _guarded(kind, make)


def _guarded(kind: type[Strategy], make: Callable[[], _Made]) -> _Made:
    try:
        return make()
    except InvalidInput:
        raise
    except (Exception, SystemExit) as e:
        raise InvalidInput(f"{kind.name} cannot be started: {type(e).__name__}: {e}") from e
