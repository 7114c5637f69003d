"""Whether the compiled loop trades as the desk does: the same candles through both, trade against trade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from trader.backtest.flatout import FlatOut
from trader.backtest.result import Reason, Result
from trader.backtest.run import Backtester
from trader.backtest.spec import Spec
from trader.backtest.world import World
from trader.broker.paper.journal import PaperExecution, PaperOrder, PaperState
from trader.desk.commands import StartStrategy
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey, symbol_of
from trader.domain.money import rupees
from trader.domain.order import Owner, Purpose
from trader.domain.position import Position, Trade
from trader.domain.records import Alert, Record, StrategyInstance
from trader.domain.times import clock_text, date_short, ist
from trader.feed.cleaning import Series, days_of
from trader.feed.replay import ReplayMarket
from trader.strategy.bars import Bars, micros, moment

_REASONS = {
    Purpose.STOP: Reason.STOP,
    Purpose.TARGET: Reason.TARGET,
    Purpose.EXIT: Reason.SIGNAL,
    Purpose.SQUAREOFF: Reason.SQUAREOFF,
    Purpose.KILL: Reason.BREACH,
    Purpose.EXTERNAL: Reason.SQUAREOFF,  # the broker's own
}
_PAISA = Decimal("0.01")


@dataclass(frozen=True, slots=True, order=True)
class Dealt:
    """A finished trade, as both sides can tell it. Times are microseconds since 1970 UTC."""

    exit_at: int
    entry_at: int
    leg: int
    symbol: str
    side: int
    quantity: int
    entry_price: Decimal
    exit_price: Decimal
    reason: str
    charges: Decimal

    def __str__(self) -> str:
        way = "long" if self.side > 0 else "short"
        return (
            f"{self.symbol} {way} {self.quantity}: {_when(moment(self.entry_at))} at "
            f"{rupees(self.entry_price)}, "
            f"{_when(moment(self.exit_at))} at {rupees(self.exit_price)}, "
            f"{self.reason}, charges {rupees(self.charges)}"
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """The first trade that is not the same; ``told`` is what the desk said around it."""

    number: int
    what: Sequence[str]  # the fields that differ; empty where one side has no such trade
    kernel: Dealt | None
    desk: Dealt | None
    told: Sequence[str]

    def __str__(self) -> str:
        lines = [
            f"Trade {self.number + 1} differs" + (f" in {', '.join(self.what)}" if self.what else "") + ":"
        ]
        lines.append(f"  backtest: {self.kernel or 'no such trade'}")
        lines.append(f"  desk:     {self.desk or 'no such trade'}")
        return "\n".join(lines + [f"  the desk: {text}" for text in self.told])


@dataclass(frozen=True, slots=True)
class Parity:
    """``difference`` is None when every finished trade is the same on both sides."""

    kernel: Sequence[Dealt]
    desk: Sequence[Dealt]
    difference: Difference | None
    result: Result

    @property
    def same(self) -> bool:
        return self.difference is None


class _Ledger:
    """What a test needs of the desk's records."""

    def __init__(self) -> None:
        self.trades: list[Trade] = []
        self.alerts: list[Alert] = []
        self.owners: list[Owner] = []
        self.positions: dict[tuple[str, str, str], Position] = {}

    async def commit(self, records: Sequence[Record]) -> None:
        for record in records:
            if isinstance(record, Trade):
                self.trades.append(record)
            elif isinstance(record, Alert):
                self.alerts.append(record)
            elif isinstance(record, StrategyInstance) and record.name not in self.owners:
                self.owners.append(record.name)


class _Journal:
    """The paper exchange of a test is never restarted."""

    async def load(self) -> PaperState:
        return PaperState((), (), 0)

    async def append(self, orders: Sequence[PaperOrder], executions: Sequence[PaperExecution] = ()) -> None:
        return None


def parity(spec: Spec, data: Mapping[InstrumentKey, Bars], world: World, *, variant: int = 0) -> Parity:
    """Both sides over the same candles. ``variant`` other than 0 seeds a fault in the loop, for tests."""
    if not spec.charges:
        raise InvalidInput("The desk always pays its charges: compare with charges on")
    backtester = Backtester(world, data)
    result = backtester.simulate(spec, variant=variant)
    desk, ledger = desk_trades(spec, backtester, world)
    kernel = dealt(result)
    return Parity(kernel, desk, _first_difference(kernel, desk, ledger.alerts), result)


def dealt(result: Result) -> list[Dealt]:
    """The finished trades of a result."""
    trades = result.trades[result.trades["reason"] != Reason.END]
    return sorted(
        Dealt(
            int(t["exit_at"]), int(t["entry_at"]), int(t["leg"]), result.symbols[t["symbol"]], int(t["side"]),
            int(t["quantity"]), _money(t["entry_price"]), _money(t["exit_price"]),
            Reason(int(t["reason"])).name.lower(), _money(t["charges"]),
        )
        for t in trades
    )  # fmt: skip


def desk_trades(spec: Spec, backtester: Backtester, world: World) -> tuple[list[Dealt], _Ledger]:
    """The real desk on the paper exchange, over the candles of the backtest's panel."""
    ledger = _Ledger()
    market = recording(spec, backtester, world)
    desk = FlatOut(
        market, world.catalogue, ledger, _Journal(), spec.limits, slippage_bps=spec.slippage_bps,
        charges=world.charges, margins=world.margins,
    )  # fmt: skip
    for n, leg in enumerate(spec.legs):
        start = StartStrategy(leg.strategy, tuple(leg.symbols), leg.interval, dict(leg.settings))
        answer = desk.ask(start, f"parity:{n}")
        if not answer.ok:
            raise InvalidInput(f"The desk refuses to start {leg.name}: {answer.text}")
    desk.run()
    legs = {owner: n for n, owner in enumerate(ledger.owners)}
    return sorted(_dealt(trade, legs) for trade in ledger.trades), ledger


def recording(spec: Spec, backtester: Backtester, world: World) -> ReplayMarket:
    """The panel's candles as a recording; those before ``spec.first`` are its history."""
    panel = backtester.panel
    series = []
    for key in panel.keys:
        bars = panel.bars[key]
        if not len(bars):
            continue
        exact = np.rint(bars.table[:4] * 10_000) / 10_000
        series.append(
            Series(
                world.instruments.by_key[key],
                np.array(bars.start),
                tuple(exact),
                bars.volume.astype(np.int64),
                days_of(bars.start),
            )
        )
    return ReplayMarket(series, panel.interval, world.calendar, {}, spec.first, spec.last)


def _dealt(trade: Trade, legs: Mapping[Owner, int]) -> Dealt:
    return Dealt(
        exit_at=micros(ist(trade.exit_at)),
        entry_at=micros(ist(trade.entry_at)),
        leg=legs.get(trade.owner, -1),
        symbol=symbol_of(trade.key),
        side=trade.side.sign,
        quantity=trade.quantity,
        entry_price=trade.entry_price.quantize(Decimal("0.0001")),
        exit_price=trade.exit_price.quantize(Decimal("0.0001")),
        reason=_REASONS[trade.reason].name.lower(),
        charges=trade.charges.quantize(Decimal("0.0001")),
    )


def _money(value: float) -> Decimal:
    return Decimal(repr(float(value))).quantize(Decimal("0.0001"))


def _first_difference(
    kernel: Sequence[Dealt], desk: Sequence[Dealt], alerts: Sequence[Alert]
) -> Difference | None:
    for n in range(max(len(kernel), len(desk))):
        ours = kernel[n] if n < len(kernel) else None
        theirs = desk[n] if n < len(desk) else None
        if ours == theirs:
            continue
        what = (
            [f.name for f in fields(Dealt) if getattr(ours, f.name) != getattr(theirs, f.name)]
            if ours and theirs
            else []
        )
        return Difference(n, what, ours, theirs, _told(alerts, ours, theirs))
    return None


def _told(alerts: Sequence[Alert], *trades: Dealt | None) -> list[str]:
    """What the desk said from a little before the earlier trade's entry to its end."""
    known = [trade for trade in trades if trade is not None]
    since = moment(min(trade.entry_at for trade in known)) - timedelta(minutes=1)
    until = moment(min(trade.exit_at for trade in known)) + timedelta(minutes=1)
    told = [f"{_when(a.at)} {a.title}" for a in alerts if since <= a.at <= until]
    return told[:12]


def _when(at: datetime) -> str:
    return f"{date_short(at)} {clock_text(at)}"
