"""Puts the trading side together from its settings and its ledger, and takes it apart in order."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from trader import VERSION
from trader.broker.paper.journal import PaperJournal
from trader.broker.port import Overnight
from trader.desk.closures import apply_closures
from trader.desk.desk import Desk
from trader.desk.events import Job
from trader.desk.restoring import RAN
from trader.desk.state import DeskConfig
from trader.domain.errors import CommitFailed, InvalidInput, MunimError
from trader.domain.instrument import InstrumentKey, Segment
from trader.domain.position import Fill
from trader.domain.records import Alert, LedgerState, Priority, SessionRecord, Setting
from trader.domain.times import IST
from trader.feed.aggregator import Aggregator
from trader.market.calendar import Calendar
from trader.market.instruments import Instruments
from trader.market.phases import Venue, venue_of
from trader.ports.store import Store
from trader.service.clock import MarketClock
from trader.service.codes import OneTimeCodes
from trader.service.daylist import DayList
from trader.service.desk_service import DeskService
from trader.service.front import DeskFront
from trader.service.jobs import DayJobs
from trader.service.markets import MARKET_TIME, Marketplace, marketplace
from trader.service.port import About
from trader.service.pump import Pump
from trader.service.research import Research
from trader.service.restless import SESSION_ID, restless
from trader.service.schedule import Schedule
from trader.service.settings import Market, Settings, Trading
from trader.service.studies import Studies
from trader.service.switching import switched
from trader.strategy.catalogue import Catalogue

if TYPE_CHECKING:
    from trader.service.kite import KiteHouse

LEDGER_CODE = "ledger_code"
LIVE_BARS_WAIT = timedelta(seconds=2)  # ticks are dated by the exchange and arrive a moment later
LAST_MOMENT = 1.5  # seconds the market gets to finish the moment it is showing
_CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # nothing that is mistaken for something else


@dataclass(slots=True)
class House:
    """A running desk. ``run`` its service and its pump as tasks; ``close`` it when done."""

    desk: Desk
    service: DeskService
    pump: Pump
    front: DeskFront
    clock: MarketClock
    session: SessionRecord
    store: Store
    studies: Research
    kite: KiteHouse | None = None

    async def close(self) -> None:
        """An orderly end: the next start will not ask the owner what happened. The market stops first, or
        the desk would go on trading behind the session's end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_MOMENT):
                await self.pump.stop()
        await self.studies.close()
        await self.service.close()
        if self.kite is not None:
            await self.kite.close()
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
    clock: MarketClock | None = None,
) -> House:
    """``store`` is open. ``before_next`` is awaited before the market moves on (see Pump). ``clock``: another
    than the settings', for a live market.

    Restores the desk and asks the broker for its book; both are handled once the service runs. Raises
    FeedError when the market cannot be read, SettingsError when the records are another account's.
    """
    today = (settings.clock_start or datetime.now(IST)).date()
    ledger = switched(await store.load(), settings.trading, today)
    calendar = Calendar.load()
    apply_closures(calendar, ledger.settings)
    place = await marketplace(settings, ledger, store, journal, calendar, clock)
    start = place.clock.now()
    place.instruments.today = start.date()
    await place.broker.open()
    code = ledger.settings.get(LEDGER_CODE) or _new_code(settings)
    session = _session(settings, start)
    said = [
        *_closed_today(place.calendar, start),
        *restless(await store.sessions(), datetime.now(IST), start),
    ]
    await store.commit([session, Setting(LEDGER_CODE, code), *said])
    desk = _desk(settings, place, catalogue, code, start)
    aggregator = Aggregator(place.calendar, _venues(place.instruments))
    service = DeskService(desk, store, place.broker, place.feed, place.clock, aggregator, on_alert)
    pump = _pump(ledger, place, service, store, aggregator, held=held, before_next=before_next)
    clean = ledger.last_session is None or ledger.last_session.ended_at is not None
    fills = await _open_fills(store, ledger)
    await service.carry_out(desk.restore(ledger, fills, at=start, clean=clean))
    if said:
        on_alert()
    studies = _studies(settings, catalogue, place.instruments, place.clock, place.kite)
    front = _front(settings, ledger, place, desk, service, store, pump, catalogue, studies)
    open_keys = sorted({p.key for p in ledger.positions if p.quantity})
    if open_keys:
        with contextlib.suppress(MunimError):  # without a list of instruments, or one of them in it
            place.feed.watch(open_keys)
    if place.kite is not None:
        place.kite.join(service, front.tell)
    return House(desk, service, pump, front, place.clock, session, store, studies.research, place.kite)


def _desk(settings: Settings, place: Marketplace, catalogue: Catalogue, code: str, at: datetime) -> Desk:
    live, overnight = settings.trading is Trading.LIVE, isinstance(place.broker, Overnight)
    config = DeskConfig(settings.limits, code, live=live, gtt=overnight)
    return Desk(config, place.instruments, place.calendar, place.charges, catalogue, place.margins, at=at)


def _pump(
    ledger: LedgerState,
    place: Marketplace,
    service: DeskService,
    store: Store,
    aggregator: Aggregator,
    *,
    held: bool,
    before_next: Callable[[], Awaitable[None]] | None,
) -> Pump:
    """With the day's jobs, which it runs when they are due."""
    jobs = DayJobs(
        service, store, place.broker, place.instruments, place.clock, place.made, place.kite,
        calendar=place.calendar, daylist=place.daylist,
    )  # fmt: skip
    return Pump(
        service,
        place.feed,
        place.floor,
        place.clock,
        aggregator,
        place.calendar,
        schedule=Schedule(place.calendar, place.clock, jobs.run, _ran(ledger)),
        held=held,
        every_minute=_minutes(place.instruments, store if place.keeps_time else None, place.daylist),
        before_next=before_next,
        bars_wait=LIVE_BARS_WAIT if place.kite is not None else timedelta(0),
        live=place.kite is not None,
    )


def _front(
    settings: Settings,
    ledger: LedgerState,
    place: Marketplace,
    desk: Desk,
    service: DeskService,
    store: Store,
    pump: Pump,
    catalogue: Catalogue,
    studies: Studies,
) -> DeskFront:
    return DeskFront(
        desk=desk,
        service=service,
        store=store,
        clock=place.clock,
        pump=pump,
        feed=place.feed,
        broker=place.broker,
        calendar=place.calendar,
        charges=place.charges,
        instruments=place.instruments,
        catalogue=catalogue,
        about=About(VERSION, settings.market, settings.trading, place.clock.speed, datetime.now(IST)),
        settings=dict(ledger.settings),
        risk_pct=f"{settings.limits.risk_per_trade_pct.normalize():f}",
        codes=OneTimeCodes(str(settings.owner_totp), _world_now) if settings.owner_totp else None,
        account=place.kite,
        studies=studies,
    )


def _studies(
    settings: Settings,
    catalogue: Catalogue,
    instruments: Instruments,
    clock: MarketClock,
    kite: KiteHouse | None,
) -> Studies:
    return Studies(
        settings,
        catalogue,
        partial(_tradable, instruments),
        clock.now,
        Research(),
        {"risk": f"{settings.limits.risk_per_trade_pct.normalize():f}"},
        fetch=None if kite is None else kite.fetch_candles,
    )


def _tradable(instruments: Instruments, text: str) -> InstrumentKey:
    """Of an index every order would be denied: the result would say "no trades", and not why."""
    found = instruments.find(text)
    if found.segment is Segment.INDEX:
        raise InvalidInput(f"{found.symbol} is an index; it cannot be traded.")
    return found.key


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


def _minutes(
    instruments: Instruments, store: Store | None, daylist: DayList | None
) -> Callable[[datetime], Awaitable[None]]:
    """What is done once a market minute. ``store`` keeps the time of a market that goes on from it."""

    async def minute(at: datetime) -> None:
        instruments.today = at.date()  # expiries before it are past
        if daylist is not None:
            daylist.begin(at.date())
        if store is not None:
            with contextlib.suppress(CommitFailed):  # the next minute's will do, and the records tell it too
                await store.commit([Setting(MARKET_TIME, at.isoformat())])

    return minute


async def _open_fills(store: Store, ledger: LedgerState) -> Sequence[Fill]:
    """Fills since the oldest open position was opened, oldest first."""
    since = min((p.opened_at for p in ledger.positions if p.quantity and p.opened_at), default=None)
    if since is None:
        return ()
    return [fill for fill in await store.fills(limit=1_000_000) if fill.at >= since]


def _world_now() -> datetime:
    return datetime.now(IST)


def _session(settings: Settings, at: datetime) -> SessionRecord:
    started = datetime.now(IST)
    shown = repr(settings).encode()  # secrets do not show themselves
    return SessionRecord(
        session_id=started.strftime(SESSION_ID),
        started_at=at,
        market=settings.market,
        trading=settings.trading,
        version=VERSION,
        config_hash=hashlib.sha256(shown).hexdigest()[:16],
    )


def _new_code(settings: Settings) -> str:
    if settings.market is Market.REPLAY:
        return "RPL"  # a replay must come out the same every time
    return "".join(secrets.choice(_CODE_LETTERS) for _ in range(3))
