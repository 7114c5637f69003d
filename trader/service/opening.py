"""Puts the trading side together from its settings and its ledger, and takes it apart in order."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from trader import VERSION
from trader.broker.paper.broker import PaperBroker
from trader.broker.paper.conduct import Conduct
from trader.broker.paper.journal import PaperJournal
from trader.desk.closures import apply_closures
from trader.desk.desk import Desk
from trader.desk.events import Job
from trader.desk.restoring import RAN
from trader.desk.state import DeskConfig
from trader.domain.errors import CommitFailed
from trader.domain.instrument import InstrumentKey
from trader.domain.position import Fill
from trader.domain.records import Alert, LedgerState, Priority, SessionRecord, Setting
from trader.domain.times import IST, ist
from trader.feed.aggregator import Aggregator
from trader.feed.port import Feed
from trader.market.calendar import Calendar
from trader.market.charges import Charges
from trader.market.instruments import Instruments
from trader.market.margins import Margins
from trader.market.phases import Venue, venue_of
from trader.ports.store import Store
from trader.service.clock import SteppedClock
from trader.service.desk_service import DeskService
from trader.service.front import DeskFront
from trader.service.jobs import DayJobs
from trader.service.port import About
from trader.service.pump import Pump
from trader.service.schedule import Schedule
from trader.service.settings import Market, PaperSettings, Settings
from trader.strategy.catalogue import Catalogue

MARKET_TIME = "market_time"  # how far the simulated market had come
LEDGER_CODE = "ledger_code"
LAST_MOMENT = 1.5  # seconds the market gets to finish the moment it is showing
_CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # nothing that is mistaken for something else


@dataclass(slots=True)
class House:
    """A running desk. ``run`` its service and its pump as tasks; ``close`` it when done."""

    desk: Desk
    service: DeskService
    pump: Pump
    front: DeskFront
    clock: SteppedClock
    session: SessionRecord
    store: Store

    async def close(self) -> None:
        """An orderly end: the next start will not ask the owner what happened. The market stops first, or
        the desk would go on trading behind the session's end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_MOMENT):
                await self.pump.stop()
        await self.service.close()
        ended = [replace(self.session, ended_at=self.clock.now())]
        market_time = Setting(MARKET_TIME, self.clock.now().isoformat())
        await self.store.commit([*ended, market_time])


async def open_house(
    settings: Settings,
    store: Store,
    journal: PaperJournal,
    catalogue: Catalogue,
    *,
    held: bool,
    on_alert: Callable[[], None],
    before_next: Callable[[], Awaitable[None]] | None = None,
) -> House:
    """``store`` is open. ``before_next`` is awaited before the market moves on (see Pump).

    Restores the desk and asks the broker for its book; both are handled once the service runs. Raises
    FeedError when the market cannot be read.
    """
    ledger = await store.load()
    calendar = Calendar.load()
    apply_closures(calendar, ledger.settings)
    feed, calendar = _market(settings, _resume_at(settings, ledger), calendar)
    clock = SteppedClock(_start(settings, ledger, feed), settings.speed)
    start = clock.now()
    instruments = Instruments(feed.instruments())
    instruments.today = start.date()
    charges, margins = Charges.load(), Margins.load()
    broker = PaperBroker(
        instruments=lambda key: instruments.find(key),
        journal=journal,
        clock=clock,
        conduct=_conduct(settings.paper, settings.seed),
        cash=settings.limits.capital,
        calendar=calendar,
        charges=charges,
        margins=margins,
    )
    await broker.open()
    code = ledger.settings.get(LEDGER_CODE) or _new_code(settings)
    session = _session(settings, start)
    closed = _closed_today(calendar, start)
    await store.commit([session, Setting(LEDGER_CODE, code), *closed])
    config = DeskConfig(settings.limits, code)
    desk = Desk(config, instruments, calendar, charges, catalogue, margins, at=start)
    aggregator = Aggregator(calendar, _venues(instruments))
    service = DeskService(desk, store, broker, feed, clock, aggregator, on_alert)
    jobs = DayJobs(service, store, broker, instruments, clock, _made(settings))
    keep_time = settings.market is Market.SIMULATED
    pump = Pump(
        service,
        feed,
        broker,
        clock,
        aggregator,
        calendar,
        schedule=Schedule(calendar, clock, jobs.run, _ran(ledger)),
        held=held,
        every_minute=_minutes(instruments, store if keep_time else None),
        before_next=before_next,
    )
    clean = ledger.last_session is None or ledger.last_session.ended_at is not None
    fills = await _open_fills(store, ledger)
    await service.carry_out(desk.restore(ledger, fills, at=start, clean=clean))
    if closed:
        on_alert()
    front = DeskFront(
        desk=desk,
        service=service,
        store=store,
        clock=clock,
        pump=pump,
        broker=broker,
        calendar=calendar,
        charges=charges,
        instruments=instruments,
        catalogue=catalogue,
        about=About(VERSION, settings.market, "paper", settings.speed, datetime.now(IST)),
        settings=dict(ledger.settings),
        risk_pct=f"{settings.limits.risk_per_trade_pct.normalize():f}",
    )
    return House(desk, service, pump, front, clock, session, store)


def _market(settings: Settings, resume_at: datetime | None, calendar: Calendar) -> tuple[Feed, Calendar]:
    """The feed and the calendar that goes with it: a recording knows the sessions it holds."""
    if settings.market is Market.REPLAY:
        from trader.feed.replay import ReplayMarket  # reads Parquet; the simulated market does without

        replayed = ReplayMarket.from_path(settings.replay_path, calendar)
        return replayed, replayed.calendar
    from trader.feed.simulated import SimulatedMarket

    return SimulatedMarket(settings.seed, resume_at, calendar), calendar


def _start(settings: Settings, ledger: LedgerState, feed: Feed) -> datetime:
    """Where the market's clock begins. A simulated market goes on where it is told to or where it stopped, at
    night or on a holiday too: what is due before the next session is to run at its own time."""
    resume_at = _resume_at(settings, ledger)
    if settings.market is Market.REPLAY:
        resume_at = max(feed.starts_at, _last_moment(ledger) or feed.starts_at)
    return ist(resume_at or feed.starts_at)


def _made(settings: Settings) -> str:
    return "made for today" if settings.market is Market.SIMULATED else "as recorded"


def _ran(ledger: LedgerState) -> dict[Job, date]:
    """Which day each job ran last."""
    kept = {job: ledger.settings.get(f"{RAN}{job}") for job in Job}
    return {job: date.fromisoformat(day) for job, day in kept.items() if day}


def _closed_today(calendar: Calendar, at: datetime) -> list[Alert]:
    """The one thing that is done on a closed day: it is said."""
    day = at.date()
    if calendar.is_trading_day(day):
        return []
    opens = calendar.next_open(at)
    return [
        Alert(
            f"day:closed:{day}",
            at,
            Priority.FILL,
            "day",
            f"Closed today: {calendar.why_closed(day)}",
            f"Next session {opens:%a} {opens.day} {opens:%b %H:%M}.",
        )
    ]


def _venues(instruments: Instruments) -> Callable[[InstrumentKey], Venue]:
    def venue(key: InstrumentKey) -> Venue:
        instrument = instruments.get(key)
        return Venue.STOCK if instrument is None else venue_of(instrument)

    return venue


def _minutes(instruments: Instruments, store: Store | None) -> Callable[[datetime], Awaitable[None]]:
    """What is done once a market minute. ``store`` keeps the time of a market that goes on from it."""

    async def minute(at: datetime) -> None:
        instruments.today = at.date()  # expiries before it are past
        if store is not None:
            with contextlib.suppress(CommitFailed):  # the next minute's will do, and the records tell it too
                await store.commit([Setting(MARKET_TIME, at.isoformat())])

    return minute


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


async def _open_fills(store: Store, ledger: LedgerState) -> Sequence[Fill]:
    """Fills since the oldest open position was opened, oldest first."""
    since = min((p.opened_at for p in ledger.positions if p.quantity and p.opened_at), default=None)
    if since is None:
        return ()
    return [fill for fill in await store.fills(limit=1_000_000) if fill.at >= since]


def _session(settings: Settings, at: datetime) -> SessionRecord:
    started = datetime.now(IST)
    shown = repr(settings).encode()  # secrets do not show themselves
    return SessionRecord(
        session_id=f"{started:%Y%m%d%H%M%S%f}",
        started_at=at,
        market=settings.market,
        trading="paper",
        version=VERSION,
        config_hash=hashlib.sha256(shown).hexdigest()[:16],
    )


def _new_code(settings: Settings) -> str:
    if settings.market is Market.REPLAY:
        return "RPL"  # a replay must come out the same every time
    return "".join(secrets.choice(_CODE_LETTERS) for _ in range(3))


def _conduct(paper: PaperSettings, seed: int) -> Conduct:
    return Conduct(
        slippage_bps=float(paper.slippage_bps),
        latency=paper.latency,
        partial_fill_probability=float(paper.partial_pct) / 100,
        reject_probability=float(paper.reject_pct) / 100,
        seed=seed,
    )
