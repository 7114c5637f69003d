"""What a strategy author writes: one class for past, paper and live."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

from trader.domain.errors import InvalidInput, StrategyFault, UnknownName
from trader.domain.market import Interval, Tick
from trader.strategy.bars import Bars
from trader.strategy.param import Param, Value
from trader.strategy.signals import NOTHING, Signal, Signals

# A recursive average (EMA, and Wilder's in RSI and ATR) never quite forgets the bar it began with: after n
# bars a start weighs (1 - 1/period)^n at Wilder's pace. At 25 periods that is e^-25, about 1e-11 of the first
# error: far below a tick, so live decisions over the window equal those of a backtest over years. The
# customary 5 periods leave 0.7 %, and crossings come out differently (tests/strategies/test_windows.py).
_PERIODS_TO_FORGET = 25
_LEAST_WARMUP = 100
_SESSION_SECONDS = 400 * 60  # the longest there is, 09:15 to 15:40 for futures and options, and some
_Answer = TypeVar("_Answer")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class Holding:
    """What a strategy holds of one instrument: signed units, and their average entry price in rupees."""

    quantity: int = 0
    average_price: float = 0.0


FLAT = Holding()


class Strategy:
    """Subclass, give it Params and ``signals`` (or ``on_tick``), and drop the file into ``strategies/``.

    Values are given by keyword: ``EmaCrossover(fast=9)``; wrong ones are InvalidInput, unknown ones
    UnknownName. The desk makes one object for each instrument a strategy runs on, or a single one for all of
    them when ``together`` says how many it decides on at once.
    """

    name: ClassVar[str]  # what people type; the class name in snake_case unless given
    on_error: ClassVar[Literal["close", "keep"]] = "close"  # its positions, when its own code raises
    options: ClassVar[Mapping[str, str]] = {}  # other defaults for the common options, as texts
    sessions: ClassVar[int] = 0  # whole trading days ``signals`` looks back on, whatever the interval
    together: ClassVar[int] = 0  # instruments ``joint_signals`` decides on at once; 0: each by itself

    def __init__(self, **values: Value) -> None:
        params = self.params()
        faults: list[str] = []
        for name in sorted(values.keys() - params.keys()):
            raise UnknownName(f"parameter of {self.name}", name, params)
        for name, param in params.items():
            try:
                self.__dict__[name] = param.check(values.get(name, param.default))
            except InvalidInput as e:
                faults.append(str(e))
        if not faults and (objection := self.check()):
            faults.append(objection)
        if faults:
            raise InvalidInput("; ".join(faults))

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if isinstance(cls.__dict__.get("name"), Param):
            raise TypeError(f"{cls.__name__} cannot have a Param called name: the name is taken")
        if "name" not in cls.__dict__:
            cls.name = name_of_class(cls.__name__)
        if not (isinstance(cls.name, str) and _NAME.fullmatch(cls.name)):
            raise TypeError(f"Expected a name of at most 32 small letters, digits and _, was {cls.name!r}")
        if cls.on_error not in ("close", "keep"):
            raise TypeError(f"Expected on_error of {cls.__name__} as 'close' or 'keep', was {cls.on_error!r}")
        if bool(cls.together) != (cls.joint_signals is not Strategy.joint_signals) or cls.together == 1:
            raise TypeError(
                f"Expected {cls.__name__} with joint_signals and together = 2 or more, or with neither"
            )
        for name in cls.params():
            if hasattr(Strategy, name) or name.startswith("_"):
                raise TypeError(f"{cls.__name__} cannot have a Param called {name}: the name is taken")

    def signals(self, bars: Bars) -> Signals:
        """Decide for every bar, from that bar and the ones before it only. Pure: the same bars, the same
        answer, whatever was asked before."""
        return Signals()

    def joint_signals(self, bars: Sequence[Bars]) -> Sequence[Signals]:
        """``signals`` for a strategy that sees ``together`` instruments at once, as the two of a pair. Their
        bars come in the order in which the symbols were given and have the same starts, row for row; the
        answer is one Signals for each, in that order."""
        return [Signals() for _ in bars]

    def on_tick(self, tick: Tick, holding: Holding) -> Signal | None:
        """Decide on one tick; for strategies that cannot wait for a bar to close. May keep state in self."""
        return None

    def check(self) -> str | None:
        """What is wrong with these values together, as a sentence; None when nothing is."""
        return None

    @property
    def warmup(self) -> int:
        """How many bars ``signals`` needs for its last row to be what the whole history would give. Where
        the market has fewer, all there are do just as well."""
        params = self.params()
        periods = [v for name, v in self.values().items() if type(v) is int and not params[name].clock]
        return max(_LEAST_WARMUP, _PERIODS_TO_FORGET * max(periods, default=0))

    def bars_needed(self, interval: Interval) -> int:
        """How many bars a live window of this interval holds: ``warmup``, and at least ``sessions`` days."""
        session = -(-_SESSION_SECONDS // interval.seconds)
        return max(self.warmup, self.sessions * session + 1 if self.sessions else 1)

    def values(self) -> dict[str, Value]:
        return {name: self.__dict__[name] for name in self.params()}

    def fresh(self) -> Self:
        """Another object with the same values and no memory."""
        return type(self)(**self.values())

    @classmethod
    def params(cls) -> dict[str, Param[Any]]:
        """In the order they are written, a base's first."""
        found: dict[str, Param[Any]] = {}
        for base in reversed(cls.__mro__):
            for name, value in base.__dict__.items():
                if isinstance(value, Param):
                    found[name] = value
                else:
                    found.pop(name, None)  # a subclass may settle a value for good
        return found

    @classmethod
    def describe(cls) -> str:
        """The first line of the docstring; empty without one."""
        return (cls.__doc__ or "").strip().partition("\n")[0].strip()

    @classmethod
    def decides_on_bars(cls) -> bool:
        return cls.signals is not Strategy.signals or bool(cls.together)

    @classmethod
    def decides_on_ticks(cls) -> bool:
        return cls.on_tick is not Strategy.on_tick

    def evaluate(self, bars: Bars) -> Signals:
        """``signals``, checked. Whatever the author's code does wrong comes out as one StrategyFault. An
        exit() does, too: it ends the strategy, not the desk."""
        try:
            signals = _answer(self.signals(bars), Signals)
            signals.check(len(bars))
        except (Exception, SystemExit) as e:
            raise self._fault(e) from e
        else:
            return signals

    def evaluate_joint(self, bars: Sequence[Bars]) -> list[Signals]:
        """``joint_signals``, checked in the same way. ``bars`` have the same starts
        (``trader.strategy.joint`` sees to it)."""
        try:
            answers = _of_each(self.joint_signals(bars), len(bars))
            for signals, one in zip(answers, bars, strict=True):
                signals.check(len(one))
        except (Exception, SystemExit) as e:
            raise self._fault(e) from e
        else:
            return answers

    def evaluate_tick(self, tick: Tick, holding: Holding = FLAT) -> Signal:
        """``on_tick``, checked in the same way; None becomes a Signal that asks for nothing."""
        try:
            signal = self.on_tick(tick, holding)
            return NOTHING if signal is None else _answer(signal, Signal)
        except (Exception, SystemExit) as e:
            raise self._fault(e) from e

    def _fault(self, cause: BaseException) -> StrategyFault:
        """Names the strategy's own line: the place its author can mend."""
        own = sys.modules[type(self).__module__].__dict__.get("__file__")
        frames = [f for f in traceback.extract_tb(cause.__traceback__) if f.filename == own]
        place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
        return StrategyFault(f"{self.name} raised {type(cause).__name__}: {cause}{place}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.values().items())})"


def _answer(given: object, expected: type[_Answer]) -> _Answer:
    if not isinstance(given, expected):
        raise TypeError(f"Expected {expected.__name__} as the answer, was {given!r:.60}")
    return given


def _of_each(given: Sequence[object], symbols: int) -> list[Signals]:
    answers = [_answer(signals, Signals) for signals in given]
    if len(answers) != symbols:
        raise ValueError(f"Expected Signals for each of {symbols} symbols, were {len(answers)}")
    return answers


def name_of_class(name: str) -> str:
    """``EmaCrossover`` is ema_crossover, ``RSIMeanReversion`` rsi_mean_reversion."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.lstrip("_")).lower()
