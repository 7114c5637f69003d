"""Backtests: many settings on the same candles."""

from __future__ import annotations

import hashlib
import inspect
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trader.backtest.panel import Panel
from trader.backtest.result import TRADE, Reason, Result
from trader.backtest.spec import Leg, Spec
from trader.backtest.world import World
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey, symbol_of, symbols_text
from trader.domain.market import Interval
from trader.market.note import DELIVERED
from trader.strategy.bars import Bars
from trader.strategy.joint import decide
from trader.strategy.options import Configured
from trader.strategy.signals import Signals

Called = tuple[NDArray[np.int32], NDArray[np.uint8]]  # rows of the market, bits of the signals there
_NO_CALL = np.int32(2**31 - 2)  # one more is still a number
_KEPT = 512  # signals kept for another run, by leg and instrument


class Backtester:
    """``data`` are candles of one interval by instrument. The panel and every strategy's signals are computed
    once: running again with other limits or exits costs the loop alone."""

    def __init__(self, world: World, data: Mapping[InstrumentKey, Bars]) -> None:
        self.world = world
        self.panel = Panel(data, world.instruments.by_key, world.calendar)
        self._signals: dict[Any, Called] = {}

    def run(self, spec: Spec) -> Result:
        """InvalidInput where the spec asks for what candles cannot answer; StrategyFault where a strategy's
        own code raises."""
        return self.simulate(spec, variant=0)

    def simulate(self, spec: Spec, *, variant: int) -> Result:
        """``variant`` other than 0 is a seeded fault, for tests of the parity check (``kernel``)."""
        from trader.backtest.compiled import fields as f
        from trader.backtest.compiled.memory import pointed
        from trader.backtest.kernel import NO_CHARGES, run
        from trader.backtest.rulebook import rulebook

        began = time.perf_counter()
        panel = self.panel
        self._check(spec)
        first, last = self._days(spec)
        book = rulebook(replace(spec, charges=False) if variant == NO_CHARGES else spec, panel, self.world)
        rows = slice(int(panel.timetable.days[first, 0]), int(panel.timetable.days[last, 1]))
        calls = self._calls(spec, book.seats, book.configured)
        market = book.market._replace(
            previous=np.where(panel.previous < rows.start, np.int32(-1), panel.previous),
            calls=calls[0],
            call_slots=calls[1],
            call_bits=calls[2],
        )
        most = min(len(calls[1]) + 1, spec.limits.max_trades_per_day * (last - first + 1)) + len(book.seats)
        state = _state(market, book.chapters, most, variant)
        (there, _market), (here, _desk) = pointed(market), pointed(state)
        run(there, here, first, last)
        desk = state.desk
        trades = _trades(book.seats, panel, state, rows.stop - 1)
        halted = {f.LATCH_DAILY: "daily_loss", f.LATCH_DRAWDOWN: "drawdown"}.get(int(desk[f.LATCH]), "")
        denied = {code: int(n) for code, n in zip(f.DENIALS, state.denied, strict=True) if n}
        dates = panel.timetable.dates
        return Result(
            spec=spec,
            symbols=[symbol_of(key) for key in panel.keys],
            trades=trades,
            at=panel.timetable.ends[rows],
            equity=state.worth[rows],
            exposure=state.held[rows],
            close=panel.closes[rows],
            bars=self._bars_between(rows),
            days=last - first + 1,
            denied=denied,
            halted=halted,
            halted_on=dates[int(desk[f.HALTED_DAY])] if halted else None,
            warnings=self._warnings(book.configured, halted, denied),
            code_hash=self._code_hash(spec),
            data_hash=panel.hash,
            seconds=time.perf_counter() - began,
        )

    # -- what is asked -------------------------------------------------------------------------------------

    def _check(self, spec: Spec) -> None:
        for leg in spec.legs:
            if missing := sorted(set(leg.symbols) - set(self.panel.keys)):
                names = symbols_text(missing)
                raise InvalidInput(f"{leg.name}: there are no candles of {names}")
            if leg.interval is not self.panel.interval:
                raise InvalidInput(
                    f"{leg.name} asks for {leg.interval} candles, these are of {self.panel.interval}; "
                    f"load them in {leg.interval}"
                )

    def _days(self, spec: Spec) -> tuple[int, int]:
        dates = self.panel.timetable.dates
        first = next(
            (n for n, day in enumerate(dates) if spec.first is None or day >= spec.first), len(dates)
        )
        last = next(
            (n for n in range(len(dates) - 1, -1, -1) if spec.last is None or dates[n] <= spec.last), -1
        )
        if last < first:
            raise InvalidInput(
                f"Expected candles from {spec.first or dates[0]} to {spec.last or dates[-1]}, "
                f"these are of {dates[0]} to {dates[-1]}"
            )
        return first, last

    def _bars_between(self, rows: slice) -> int:
        ends = np.array([rows.start, rows.stop], dtype=np.int32)  # of another kind the rows would be copied
        return sum(int(np.diff(np.searchsorted(own, ends))[0]) for own in self.panel.rows.values())

    # -- signals -------------------------------------------------------------------------------------------

    def _calls(
        self, spec: Spec, seats: Sequence[Any], configured: Sequence[Configured]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.uint8]]:
        """All slots' signals by row, those of one row in the order of the slots; behind them a row that never
        comes."""
        found = [self._called(spec.legs[seat.leg], configured[seat.leg], seat.key) for seat in seats]
        rows = np.concatenate([rows for rows, _ in found])
        bits = np.concatenate([bits for _, bits in found])
        slots = np.repeat(np.arange(len(found)), [len(rows) for rows, _ in found])
        if len(found) > 1:
            order = np.argsort(rows, kind="stable")
            rows, bits, slots = rows[order], bits[order], slots[order]
        return np.append(rows, _NO_CALL), slots, bits

    def _called(self, leg: Leg, configured: Configured, key: InstrumentKey) -> Called:
        strategy = configured.strategy
        symbols = leg.symbols if strategy.together else (key,)
        name = (type(strategy), tuple(sorted(strategy.values().items())), symbols, key, leg.interval)
        found = self._signals.get(name)
        if found is None:
            while len(self._signals) >= _KEPT:
                del self._signals[next(iter(self._signals))]
            bars = [self.panel.bars[symbol] for symbol in symbols]
            asked = strategy.fresh()
            decided = decide(asked, bars) if strategy.together else [asked.evaluate(bars[0])]
            for symbol, signals in zip(symbols, decided, strict=True):
                mine = (*name[:3], symbol, leg.interval)
                self._signals[mine] = _compressed(signals, self.panel.rows[symbol])
            found = self._signals[name]
        return found

    # -- what is told --------------------------------------------------------------------------------------

    def _warnings(
        self, configured: Sequence[Configured], halted: str, denied: Mapping[str, int]
    ) -> Sequence[str]:
        warnings = list(self.panel.warnings)
        if self.panel.interval is Interval.D1:
            warnings.append(
                "Daily candles close when the market does: the desk can't act on them before the next day "
                "has moved on, so nothing is entered. Use candles of an hour or less."
            )
        if any(one.options.product in DELIVERED for one in configured):
            warnings.append(
                "Delivery: when the money of a sale can be used again is not reckoned with; the desk's "
                "broker may refuse an entry that was made here."
            )
        if not halted and denied.get("drawdown"):
            warnings.append("The drawdown limit refused entries: equity was too far below its peak.")
        return warnings

    def _code_hash(self, spec: Spec) -> str:
        kinds = sorted({leg.strategy for leg in spec.legs})
        digest = hashlib.sha256(_rules_hash().encode())
        for kind in kinds:
            source = _source(self.world.catalogue.get(kind))  # type: ignore[arg-type] # a class can be hashed
            digest.update(source.encode())
        return digest.hexdigest()[:32]


def _compressed(signals: Signals, rows: NDArray[np.int32]) -> Called:
    """Only the candles with a signal: few of them have one."""
    given = [signals.enter_long, signals.exit_long, signals.enter_short, signals.exit_short]
    some = [
        array for n, array in enumerate(given) if array is not None and not any(array is b for b in given[:n])
    ]
    if not some:
        return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.uint8)
    at = np.flatnonzero(some[0] if len(some) == 1 else np.logical_or.reduce(some))
    bits = np.zeros(len(at), dtype=np.uint8)
    for n, array in enumerate(given):
        if array is not None:
            bits |= array[at].astype(np.uint8) << np.uint8(n)
    return rows[at], bits


def _state(market: Any, chapters: int, trades: int, variant: int) -> Any:
    """The desk as it is before the first day."""
    from trader.backtest.compiled import fields as f

    slots, symbols = len(market.slots), len(market.symbols)
    state = f.State(
        slot=np.zeros((slots, f.WIDTH), dtype=np.int64),
        desk=np.zeros(f.DESK_WIDTH, dtype=np.int64),
        open=np.zeros(slots, dtype=np.int64),
        leaving=np.zeros(slots, dtype=np.int64),
        entering=np.zeros(slots, dtype=np.int64),
        deferred=np.zeros(slots, dtype=np.int64),
        awake=np.zeros(slots + 1, dtype=np.int64),
        asked=np.zeros((8 * slots + 64, 2), dtype=np.int64),
        heard=np.zeros((8 * slots + 64, 2), dtype=np.int64),
        denied=np.zeros(len(f.DENIALS), dtype=np.int64),
        note=np.zeros((chapters, f.NOTE_WIDTH), dtype=np.int64),
        credits=np.zeros(len(market.days) + 1, dtype=np.int64),
        net=np.zeros((len(market.lines), 2), dtype=np.int64),
        seen=np.zeros(max(len(market.lines), symbols), dtype=np.int64),
        dealt=np.full((symbols, 2), -1, dtype=np.int64),
        scrips=np.zeros((len(market.lines), 3), dtype=np.int64),
        scrip_orders=np.zeros((len(market.lines), int(market.limits[f.M_SCRIP]), 4), dtype=np.int64),
        legs=np.zeros(int(market.limits[f.M_LEGS]), dtype=np.int64),
        ranged=np.zeros(slots + 1, dtype=np.int64),
        sorted=np.zeros((2 * slots + 2, 3), dtype=np.int64),
        trades=np.empty((f.T_WIDTH, trades), dtype=np.int64),
        worth=np.empty(len(market.rows)),
        held=np.empty(len(market.rows)),
    )
    state.desk[f.PEAK] = state.desk[f.CASH] = market.limits[f.M_CAPITAL]
    state.desk[f.DAY] = -1
    state.desk[f.VARIANT] = variant
    state.slot[:, [f.OPENING, f.AWAKE]] = -1
    state.slot[:, f.SYM] = market.slots[:, f.S_SYM]
    market.limits[f.M_ROOM] = trades
    state.slot[:, f.L_AGAIN] = -1
    state.slot[:, f.LAST_AT] = -(2**62)
    return state


def _trades(seats: Sequence[Any], panel: Panel, state: Any, last: int) -> NDArray[Any]:
    from trader.backtest.compiled import fields as f

    reasons = np.zeros(f.P_EXTERNAL + 1, dtype=np.int8)
    reasons[[f.P_STOP, f.P_TARGET, f.P_EXIT, f.P_SQUARE, f.P_KILL, f.P_EXTERNAL]] = [
        Reason.STOP, Reason.TARGET, Reason.SIGNAL, Reason.SQUAREOFF, Reason.BREACH, Reason.SQUAREOFF,
    ]  # fmt: skip
    rows = state.trades[:, : state.desk[f.N_TRADES]]
    legs = np.array([seat.leg for seat in seats])
    symbols = np.array([panel.keys.index(seat.key) for seat in seats])
    table = np.zeros(rows.shape[1], dtype=TRADE)
    slot, quantity = rows[f.T_SLOT], rows[f.T_QUANTITY]
    table["leg"], table["symbol"] = legs[slot], symbols[slot]
    table["side"], table["quantity"] = np.sign(quantity), np.abs(quantity)
    table["reason"] = reasons[rows[f.T_PURPOSE]]
    table["entry_at"], table["exit_at"] = rows[f.T_ENTRY_AT], rows[f.T_EXIT_AT]
    table["entry_price"] = rows[f.T_ENTRY] / f.RUPEE
    table["exit_price"] = rows[f.T_EXIT] / f.RUPEE
    table["pnl"] = (rows[f.T_EXIT] - rows[f.T_ENTRY]) * quantity / f.RUPEE
    table["charges"] = rows[f.T_CHARGES] / f.RUPEE
    table["best"], table["worst"] = rows[f.T_BEST] / f.RUPEE, rows[f.T_WORST] / f.RUPEE
    return _with_open(table, seats, panel, state, int(panel.timetable.ends[last]))


def _with_open(table: NDArray[Any], seats: Sequence[Any], panel: Panel, state: Any, end: int) -> NDArray[Any]:
    """What is still held at the end, valued at its last price."""
    from trader.backtest.compiled import fields as f

    held = state.open[: state.desk[f.N_OPEN]]
    if not len(held):
        return table
    left = np.zeros(len(held), dtype=TRADE)
    for row, i in zip(left, held, strict=True):
        x = state.slot[i]
        row["leg"], row["symbol"] = seats[i].leg, panel.keys.index(seats[i].key)
        row["side"], row["quantity"], row["reason"] = np.sign(x[f.Q]), abs(x[f.Q]), Reason.END
        row["entry_at"], row["exit_at"] = x[f.ENTRY_AT], end
        row["entry_price"], row["exit_price"] = x[f.AVG] / f.RUPEE, x[f.MARK] / f.RUPEE
        row["pnl"] = (x[f.MARK] - x[f.AVG]) * x[f.Q] / f.RUPEE
        row["charges"] = x[f.ENTRY_CHARGES] / f.RUPEE
        row["best"], row["worst"] = x[f.BEST] / f.RUPEE, x[f.WORST] / f.RUPEE
    return np.concatenate([table, left])


@cache
def _rules_hash() -> str:
    """Of the loop, the rules and the dated tables."""
    from trader.backtest.compiled.jit import sources_hash
    from trader.market import tables

    digest = hashlib.sha256(sources_hash().encode())
    for path in sorted(Path(tables.__file__).parent.glob("*.toml")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _source(kind: type) -> str:
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):
        return kind.__qualname__
