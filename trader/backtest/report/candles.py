"""Candles around trades, packed for a page: whole numbers, each told by its difference from the last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trader.backtest.result import Reason, Result
from trader.desk.exits import TRAIL_STEP
from trader.domain.instrument import InstrumentKey, symbol_of
from trader.strategy import rules
from trader.strategy.bars import Bars

MOST_CANDLES: Final = 120_000  # of a page: about 2 MB
MOST_OF_ONE: Final = 4_000  # of one trade: more are no chart but a smear
_BEFORE, _AFTER = 40, 20  # candles shown around a trade
_PAISE = 100
_SECOND = 1_000_000
IST_SECONDS: Final = 19_800


@dataclass(slots=True)
class Charts:
    """``symbols`` holds packed candles by index into Result.symbols. ``trades`` holds by row of Result.trades
    what is to be drawn: ``at``, the first, last, entry's and exit's candle, as indexes of the symbol's, all
    included; ``stop`` and ``target`` in paise, ``stop`` as a list where it moved. ``untold`` counts trades
    without a chart."""

    symbols: dict[int, dict[str, list[int]]] = field(default_factory=dict)
    trades: dict[int, dict[str, Any]] = field(default_factory=dict)
    untold: int = 0


def charts(result: Result, data: Mapping[InstrumentKey, Bars], most: int = MOST_CANDLES) -> Charts:
    """The trades that moved most money first, until ``most`` candles are used."""
    made = Charts()
    known: dict[str, Bars] = {symbol_of(key): of for key, of in data.items()}
    known.update({str(key): of for key, of in data.items()})
    bars = {n: known[name] for n, name in enumerate(result.symbols) if name in known}
    kept = {n: np.zeros(len(of), dtype=np.bool_) for n, of in bars.items()}
    windows: dict[int, tuple[int, int, int, int]] = {}
    used = 0
    for row in _weightiest(result):
        trade = result.trades[row]
        symbol = int(trade["symbol"])
        window = _window(bars[symbol], trade) if symbol in bars else None
        if window is None:
            made.untold += 1
            continue
        first, last = window[:2]
        more = int((~kept[symbol][first : last + 1]).sum())
        if used + more > most:
            made.untold += 1
            continue
        used += more
        kept[symbol][first : last + 1] = True
        windows[row] = window
    places = {n: np.cumsum(mask) - 1 for n, mask in kept.items()}
    for row in sorted(windows):
        trade = result.trades[row]
        symbol = int(trade["symbol"])
        at = [int(places[symbol][n]) for n in windows[row]]
        made.trades[row] = {"at": at, **_levels(result, row, bars[symbol], windows[row])}
    for n, mask in kept.items():
        if mask.any():
            made.symbols[n] = packed(bars[n], mask)
    return made


def packed(bars: Bars, mask: NDArray[np.bool_]) -> dict[str, list[int]]:
    """Seconds on the exchange's clock and paise. ``t`` and ``c`` as differences from the candle before, the
    first from zero; ``o`` from the close before, ``h`` and ``l`` from the open."""
    seconds = bars.start[mask] // _SECOND + IST_SECONDS
    paise = np.round(bars.table[:4, mask] * _PAISE).astype(np.int64)
    open_, high, low, close = paise
    return {
        "t": np.diff(seconds, prepend=0).tolist(),
        "o": (open_ - np.concatenate(([0], close[:-1]))).tolist(),
        "h": (high - open_).tolist(),
        "l": (low - open_).tolist(),
        "c": np.diff(close, prepend=0).tolist(),
    }


def _weightiest(result: Result) -> Sequence[int]:
    net = np.abs(result.trades["pnl"] - result.trades["charges"])
    return [int(row) for row in np.argsort(-net, kind="stable")]


def _window(bars: Bars, trade: NDArray[Any]) -> tuple[int, int, int, int] | None:
    """First, last, entry and exit as indexes of ``bars``; None when the candles do not hold the trade."""
    entry = int(np.searchsorted(bars.start, trade["entry_at"], side="right")) - 1
    leave = int(np.searchsorted(bars.start, trade["exit_at"], side="right")) - 1
    inside = trade["reason"] in (Reason.STOP, Reason.TARGET) and entry < leave
    if inside and bars.start[leave] == trade["exit_at"]:
        # Reached within the candle that ended then; a level passed at an opening is left at that opening.
        low, high = bars.low[leave - 1], bars.high[leave - 1]
        leave -= int(low <= trade["exit_price"] <= high)
    if entry < 0 or leave - entry > MOST_OF_ONE:
        return None
    return max(entry - _BEFORE, 0), min(leave + _AFTER, len(bars) - 1), entry, leave


def _levels(
    result: Result, row: int, bars: Bars, window: tuple[int, int, int, int]
) -> dict[str, int | list[int]]:
    """The stop and the target the settings put, by the desk's own rules. What the exchange's tick makes of
    them is left out: it is less than a line's width."""
    trade = result.trades[row]
    settings = dict(result.spec.legs[int(trade["leg"])].settings)
    side, entry_price = int(trade["side"]), float(trade["entry_price"])
    stop = rules.stop_price(entry_price, side, _percent(settings, "stop"))
    target = rules.target_price(entry_price, side, _percent(settings, "target"))
    trail = entry_price * _percent(settings, "trail") / 100
    levels: dict[str, int | list[int]] = {}
    if target:
        levels["target"] = round(target * _PAISE)
    if stop and trail:
        levels["stop"] = [
            round(one * _PAISE) for one in _trailed(bars, window, side, stop, trail, entry_price)
        ]
    elif stop:
        levels["stop"] = round(stop * _PAISE)
    return levels


def _trailed(
    bars: Bars, window: tuple[int, int, int, int], side: int, stop: float, trail: float, entry: float
) -> list[float]:
    """Where the stop stood during each candle from the entry's to the exit's."""
    best, stood = entry, []
    for n in range(window[2], window[3] + 1):
        stood.append(stop)
        best = rules.best_price(side, best, float(bars.high[n]), float(bars.low[n]))
        wanted = rules.trailed_stop(side, best, trail, stop)
        if (wanted - stop) * side >= trail * float(TRAIL_STEP):
            stop = wanted
    return stood


def _percent(settings: Mapping[str, str], name: str) -> float:
    try:
        return float(settings.get(name, "0"))
    except ValueError:  # a strategy may give the word a meaning of its own
        return 0.0
