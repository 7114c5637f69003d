"""The markets a desk can trade in, each with what belongs to it: feed, clock, instruments, broker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from trader.broker.paper.broker import PaperBroker
from trader.broker.paper.conduct import Conduct
from trader.broker.paper.journal import PaperJournal
from trader.broker.port import Broker
from trader.domain.market import Bar, Tick
from trader.domain.records import LedgerState
from trader.domain.times import ist
from trader.feed.port import Feed
from trader.market.calendar import Calendar
from trader.market.charges import Charges
from trader.market.instruments import Instruments
from trader.market.margins import Margins
from trader.ports.store import Store
from trader.service.clock import MarketClock, SteppedClock, WallClock
from trader.service.daylist import DayList
from trader.service.pump import PaperMarket
from trader.service.settings import Market, PaperSettings, Settings, Trading

if TYPE_CHECKING:
    from trader.service.kite import KiteHouse

MARKET_TIME = "market_time"  # how far the simulated market had come


@dataclass(slots=True)
class Marketplace:
    """``floor`` is shown the market before the desk is; ``made`` says where instruments without a day of
    their own are from, ``daylist`` keeps those of a market that makes its own."""

    feed: Feed
    calendar: Calendar
    clock: MarketClock
    instruments: Instruments
    charges: Charges
    margins: Margins
    broker: Broker
    floor: PaperMarket
    made: str
    keeps_time: bool = False  # the next start goes on from where this one stops
    kite: KiteHouse | None = None
    daylist: DayList | None = None


async def marketplace(
    settings: Settings,
    ledger: LedgerState,
    store: Store,
    journal: PaperJournal,
    calendar: Calendar,
    clock: MarketClock | None = None,
) -> Marketplace:
    """The market the settings name. ``clock``: of the live one, where it is not the settings'."""
    if settings.market is Market.ZERODHA:
        clock = clock or WallClock(settings.clock_start)
        return await zerodha(settings, ledger, store, journal, calendar, clock)
    return await made_up(settings, ledger, journal, calendar)


async def made_up(
    settings: Settings, ledger: LedgerState, journal: PaperJournal, calendar: Calendar
) -> Marketplace:
    """A simulated or a replayed market, traded on paper."""
    feed, calendar, instruments, daylist = _market(settings, _resume_at(settings, ledger), calendar)
    clock = SteppedClock(_start(settings, ledger, feed), settings.speed)
    charges, margins = Charges.load(), Margins.load()
    broker = paper_broker(settings, journal, clock, instruments, calendar, charges, margins)
    return Marketplace(
        feed, calendar, clock, instruments, charges, margins, broker, broker, "as recorded",
        keeps_time=settings.market is Market.SIMULATED, daylist=daylist,
    )  # fmt: skip


async def zerodha(
    settings: Settings,
    ledger: LedgerState,
    store: Store,
    journal: PaperJournal,
    calendar: Calendar,
    clock: MarketClock,
) -> Marketplace:
    """The live market. A paper desk makes no broker that could place an order."""
    from trader.service.kite import SESSION, KiteHouse  # Zerodha's package comes with it

    charges, margins = Charges.load(), Margins.load()
    kite = KiteHouse(settings, store, ledger.settings.get(SESSION), clock, calendar)
    await kite.open()
    if settings.trading is Trading.LIVE:
        live = kite.live_broker()
        return Marketplace(
            kite.feed, calendar, clock, kite.instruments, charges, margins, live, NoFloor(), "", kite=kite
        )
    paper = paper_broker(settings, journal, clock, kite.instruments, calendar, charges, margins)
    return Marketplace(
        kite.feed, calendar, clock, kite.instruments, charges, margins, paper, paper, "", kite=kite
    )


class NoFloor:
    """In place of the paper exchange where orders go to a real one."""

    async def on_ticks(self, ticks: Sequence[Tick]) -> None: ...

    async def on_range(self, bar: Bar) -> None: ...

    async def on_bar_closed(self, bar: Bar) -> None: ...

    async def on_time(self, now: datetime) -> None: ...

    async def end_of_day(self, day: date) -> None: ...


def paper_broker(
    settings: Settings,
    journal: PaperJournal,
    clock: MarketClock,
    instruments: Instruments,
    calendar: Calendar,
    charges: Charges,
    margins: Margins,
) -> PaperBroker:
    return PaperBroker(
        instruments=lambda key: instruments.by_key[key],  # become() swaps the mapping
        journal=journal,
        clock=clock,
        conduct=_conduct(settings.paper, settings.seed),
        cash=settings.limits.capital,
        calendar=calendar,
        charges=charges,
        margins=margins,
    )


def _market(
    settings: Settings, resume_at: datetime | None, calendar: Calendar
) -> tuple[Feed, Calendar, Instruments, DayList | None]:
    """The feed and what goes with it: a recording knows the sessions it holds and its instruments, the
    simulated market has a list for each day."""
    if settings.market is Market.REPLAY:
        from trader.feed.replay import ReplayMarket  # reads Parquet; the simulated market does without

        replayed = ReplayMarket.from_path(settings.replay_path, calendar)
        return replayed, replayed.calendar, Instruments(replayed.instruments()), None
    from trader.feed.simulated import SimulatedMarket

    made = SimulatedMarket(settings.seed, resume_at, calendar)
    instruments = Instruments(made.instruments())
    return made, calendar, instruments, DayList(instruments, calendar, made.listed, made.listed_on)


def _start(settings: Settings, ledger: LedgerState, feed: Feed) -> datetime:
    """Where the market's clock begins. A simulated market goes on where it is told to or where it stopped, at
    night or on a holiday too: what is due before the next session is to run at its own time."""
    resume_at = _resume_at(settings, ledger)
    if settings.market is Market.REPLAY:
        resume_at = max(feed.starts_at, _last_moment(ledger) or feed.starts_at)
    return ist(resume_at or feed.starts_at)


def _resume_at(settings: Settings, ledger: LedgerState) -> datetime | None:
    """Where a simulated market goes on: where it is told to, but never before what the ledger knows."""
    moments = [at for at in (_last_moment(ledger), settings.clock_start) if at is not None]
    return max(moments, default=None)


def _last_moment(ledger: LedgerState) -> datetime | None:
    """The latest market time in the ledger; after a crash the records are ahead of the kept time."""
    moments = [order.updated_at for order in ledger.orders]
    moments += [p.updated_at for p in ledger.positions if p.updated_at is not None]
    moments += [instance.updated_at for instance in ledger.instances]
    if ledger.latch is not None:
        moments.append(ledger.latch.since)
    if kept := ledger.settings.get(MARKET_TIME):
        moments.append(datetime.fromisoformat(kept))
    return max(moments, default=None)


def _conduct(paper: PaperSettings, seed: int) -> Conduct:
    return Conduct(
        slippage_bps=float(paper.slippage_bps),
        latency=paper.latency,
        partial_fill_probability=float(paper.partial_pct) / 100,
        reject_probability=float(paper.reject_pct) / 100,
        seed=seed,
    )
