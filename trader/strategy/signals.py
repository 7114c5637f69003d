"""A strategy's answer: for every bar, or for the newest one."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Signal:
    """What to do after one bar or tick. Entering one direction implies leaving the other; an exit given
    together with an entry of its own direction wins; entries in both directions cancel out
    (``trader.strategy.rules.wanted_side``)."""

    enter_long: bool = False
    exit_long: bool = False
    enter_short: bool = False
    exit_short: bool = False

    @property
    def any(self) -> bool:
        return self.enter_long or self.exit_long or self.enter_short or self.exit_short


NOTHING = Signal()


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """One boolean for each bar; None means never. Row ``i`` may use bars up to and including ``i``, which
    has closed: it is acted on from the next price on."""

    enter_long: BoolArray | None = None
    exit_long: BoolArray | None = None
    enter_short: BoolArray | None = None
    exit_short: BoolArray | None = None

    def __post_init__(self) -> None:
        for name in _COLUMNS:
            given: Any = getattr(self, name)
            if given is None:
                continue
            array = np.asarray(given)  # a pandas Series is as good
            if array.dtype != np.bool_:
                raise TypeError(
                    f"Expected {name} as an array of booleans, one for each bar, "
                    f"was {_described(given)}; compare something, as in bars.close > ema(bars.close, 20)"
                )
            object.__setattr__(self, name, array)

    def check(self, length: int) -> None:
        """ValueError unless every array has one row for each of ``length`` bars."""
        for name in _COLUMNS:
            array = getattr(self, name)
            if array is not None and array.shape != (length,):
                rows = " × ".join(map(str, array.shape)) or "a single value"
                raise ValueError(f"Expected {name} with one row for each of {length} bars, was {rows}")

    def last(self) -> Signal:
        """The newest bar's row."""
        return Signal(
            _newest(self.enter_long),
            _newest(self.exit_long),
            _newest(self.enter_short),
            _newest(self.exit_short),
        )


_COLUMNS = tuple(field.name for field in fields(Signals))


def _newest(array: BoolArray | None) -> bool:
    return array is not None and len(array) > 0 and bool(array[-1])


def _described(given: Any) -> str:
    return f"an array of {given.dtype}" if isinstance(given, np.ndarray) else repr(given)
