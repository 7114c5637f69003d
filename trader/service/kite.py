"""The way to Zerodha, kept open: the session, the stream, what the desk watches and orders through them.

Nothing here decides about money. A session that ends, a stream that drops and comes back, a list of
instruments that is renewed become events for the desk and messages for the owner.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, timedelta

from trader.backtest.spec import Spec
from trader.broker.zerodha.broker import ZerodhaBroker
from trader.broker.zerodha.budget import Budgets
from trader.broker.zerodha.credentials import KiteCredentials, KiteEndpoints
from trader.broker.zerodha.rest import KiteRest
from trader.broker.zerodha.session import KiteSession, SessionState
from trader.broker.zerodha.stream.client import KiteStream
from trader.broker.zerodha.stream.pacing import LoopTime
from trader.broker.zerodha.stream.reports import Connected, Fresh, Report, Stale, Unreadable
from trader.broker.zerodha.stream.reports import LoginNeeded as StreamLogin
from trader.desk.commands import Disarm
from trader.desk.events import BrokerLost, BrokerReached, CheckLine, MarketBack, MarketLost
from trader.domain.errors import FeedError, InstrumentsStale, LoginNeeded, MunimError
from trader.domain.instrument import symbol_of
from trader.domain.records import Setting
from trader.domain.times import clock_text, date_short, ist
from trader.feed.zerodha.candles import CandleCache
from trader.feed.zerodha.download import download
from trader.feed.zerodha.feed import ZerodhaFeed
from trader.feed.zerodha.history import CandleHistory
from trader.feed.zerodha.recorder import TickRecorder
from trader.feed.zerodha.universe import DailyInstruments
from trader.market.calendar import Calendar
from trader.market.dump import FEWEST_ROWS
from trader.market.instruments import Instruments
from trader.ports.store import Store
from trader.service.clock import MarketClock
from trader.service.desk_service import DeskService
from trader.service.settings import Settings
from trader.service.timekeeping import Timekeeping

log = logging.getLogger(__name__)

SESSION = "kite_session"  # the setting that keeps the session, encrypted
BEFORE_OPENING = timedelta(minutes=10)
LOOK = 1.0  # seconds between looks at the clock
WARM_EVERY = timedelta(seconds=30)  # a cold connection costs an order two round trips
TRY_AGAIN = timedelta(minutes=5)  # after a login by itself that failed for a reason that may pass
STALE_TOLD_AFTER = timedelta(seconds=30)  # a stream that is back sooner is not worth a message

Tell = Callable[[str, str], Awaitable[None]]


class SettingStore:
    """The session's place in the ledger."""

    def __init__(self, store: Store, kept: str | None) -> None:
        self._store = store
        self._text = kept

    async def read(self) -> str | None:
        return self._text

    async def write(self, text: str) -> None:
        await self._store.commit([Setting(SESSION, text)])
        self._text = text


class KiteHouse:
    """Made before the desk, joined to it, opened, kept by ``keep`` as a task, closed."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        kept: str | None,
        clock: MarketClock,
        calendar: Calendar,
    ) -> None:
        kite = settings.kite
        self._kite = kite
        self._clock = clock
        self._calendar = calendar
        endpoints = KiteEndpoints(kite.api_url, kite.login_url, kite.stream_url)
        credentials = KiteCredentials(
            kite.api_key, str(kite.api_secret), kite.user_id, str(kite.password), str(kite.totp_secret)
        )
        time = self._time = LoopTime(clock.now)
        self._live: ZerodhaBroker | None = None
        self.instruments = Instruments()
        self.session = KiteSession(
            credentials, endpoints, SettingStore(store, kept), clock.now, asyncio.sleep, self._session_changed
        )
        self.rest = KiteRest(self.session, endpoints, Budgets(time), proxy=str(kite.proxy))
        self.stream = KiteStream(
            kite.stream_url, kite.api_key, "", time=time, dice=random.random, on_report=self._reported
        )
        self._cache = CandleCache(settings.data_dir / "candles")
        self.feed = self._feed(settings, calendar, clock)
        self._service: DeskService | None = None
        self._tell: Tell | None = None
        self._untold: list[tuple[str, str]] = []  # before there was anybody to tell
        self._telling: set[asyncio.Task[None]] = set()
        self._stale_since: datetime | None = None
        self._stale_told = False
        self._tried_at: datetime | None = None
        self._told = ""  # the last sentence about a login that did not come about
        self._judged: date | None = None  # the day whose list of instruments was looked at
        self._logged_out = False  # on purpose: nobody logs in again but the owner
        self._logouts = 0  # one that comes while a login is under way has the last word

    def _feed(self, settings: Settings, calendar: Calendar, clock: MarketClock) -> ZerodhaFeed:
        folder = settings.data_dir
        fewest = FEWEST_ROWS if settings.kite.real else 1  # a rehearsal's market is small
        daily = DailyInstruments(self.rest, folder / "instruments", calendar, clock.now, fewest=fewest)
        history = CandleHistory(self.rest, self._cache, daily.instruments, calendar, clock.now, asyncio.sleep)
        recorder = TickRecorder(folder / "recordings") if settings.kite.record else None
        return ZerodhaFeed(
            self.stream,
            history,
            daily,
            now=clock.now,
            recorder=recorder,
            on_universe=self.instruments.become,
            on_skew=Timekeeping(settings.limits, self._say).skewed,
        )

    async def fetch_candles(self, spec: Spec, first: date | None) -> None:
        """What a backtest needs and the cache lacks. Raises FeedError, LoginNeeded, InvalidInput."""
        begin, end = first or spec.first, spec.last or self._clock.now().date()
        keys = tuple(dict.fromkeys(key for leg in spec.legs for key in leg.symbols))
        summary = await download(
            self.rest, self._cache, self.instruments, keys, spec.legs[0].interval, begin or end, end,
            lambda step: None, calendar=self._calendar, now=self._clock.now, sleep=asyncio.sleep,
        )  # fmt: skip
        if summary.failed:
            raise FeedError("; ".join(f"{symbol_of(key)}: {reason}" for key, reason in summary.failed))

    def live_broker(self) -> ZerodhaBroker:
        """A broker that can place orders: made for a live desk only."""
        self._live = ZerodhaBroker(self.rest, self._time)
        return self._live

    def join(self, service: DeskService, tell: Tell) -> None:
        self._service = service
        self._tell = tell
        for title, body in self._untold:
            self._say(title, body)
        self._untold.clear()

    # -- life ------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Take up yesterday's session or begin one, read the instruments, start the stream. Nothing of it is
        fatal: what fails is told and tried again."""
        try:
            restored = await self.session.restore()
        except MunimError as e:
            restored = False
            self._say("Zerodha did not answer", f"{e} It is tried again.")
        await self._begin_where_wanted(restored)
        await self._load_instruments()
        await self.stream.open()

    async def _begin_where_wanted(self, restored: bool) -> None:
        if restored or self.session.state.valid:
            return
        with contextlib.suppress(MunimError):  # not known: then as if the owner had not
            self._logged_out = await self.session.logged_out()
        if self._logged_out:
            self._say("Logged out of Zerodha", "You ended the session. /login begins a new one.")
        else:
            await self._begin(at_start=True)

    async def _load_instruments(self) -> None:
        try:
            self.instruments.become(await self.feed.load())
        except MunimError as e:
            self._say("No instruments yet", str(e))

    async def keep(self) -> None:
        """Once a second: the end of the session at 06:00, the morning's login, a stream that stays away."""
        warmed = self._clock.now()
        while True:
            await asyncio.sleep(LOOK)
            now = ist(self._clock.now())
            if now - warmed >= WARM_EVERY and self.session.state.valid:
                warmed = now
                with contextlib.suppress(MunimError):  # who needs it next hears of it
                    await self.rest.warm()
            if not self.session.state.valid:
                await self._begin(at_start=False)
            await self.refuse_stale(now)
            if self._stale_since is not None and now - self._stale_since >= STALE_TOLD_AFTER:
                self._tell_stale()

    async def refuse_stale(self, now: datetime) -> None:
        """Before an opening: a live desk whose list of instruments is not the day's is disarmed, for lots,
        ticks and tokens may have changed."""
        day = now.date()
        session = self._calendar.session(day)
        due = session is not None and session.opens_at - now <= BEFORE_OPENING and now < session.closes_at
        if self._live is None or self._service is None or not due or self._judged == day:
            return
        self._judged = day
        try:
            self.instruments.require_fresh(day)
        except InstrumentsStale as e:
            await self._service.ask(Disarm(), source_id=f"stale:{day}", actor="the house")
            self._say("Disarmed: stale instruments", f"{e}\nAfter that, /live arms again.")

    async def follow(self) -> None:
        """Hand order updates to the broker; a paper desk passes over those of the real account."""
        if self._live is not None:
            await self._live.follow(self.stream.orders)
            return
        async for _ in self.stream.orders:
            pass

    async def close(self) -> None:
        await self.stream.close()
        await self.rest.close()
        for task in list(self._telling):
            task.cancel()

    # -- the session -----------------------------------------------------------------------------

    async def _begin(self, *, at_start: bool) -> None:
        """Log in by itself where it can, from the morning's hour on; else ask the owner. Each obstacle is
        told once, for it is met again every few minutes."""
        now = ist(self._clock.now())
        begins = now.replace(hour=self._kite.login_at.hour, minute=self._kite.login_at.minute, second=0)
        if self._logged_out or (now < begins and not at_start):
            return
        if not self.session.credentials.automatic:
            self._tell_once("Log in to Zerodha", f"{self.session.state.reason}\n/login shows the link.")
            return
        if now < begins or (self._tried_at is not None and now - self._tried_at < TRY_AGAIN):
            return
        self._tried_at = now
        try:
            await self.session.login_automatically()
        except MunimError as e:
            self._tell_once("Could not log in to Zerodha", f"{e}\nBy hand: {self.link()}")

    def _tell_once(self, title: str, body: str) -> None:
        if body != self._told:
            self._told = body
            self._say(title, body)

    def _session_changed(self, state: SessionState) -> None:
        now = self._clock.now()
        if state.valid:
            self._told = ""
            self.stream.renew(self.session.access_token)
            if self._service is not None:
                self._service.put(BrokerReached(now))
            until = "" if state.until is None else f" The session ends {state.until:%a %H:%M}."
            self._say("Logged in to Zerodha", f"As {state.user_id}.{until}")
        else:
            self._tried_at = None
            if self._live is not None and self._service is not None:
                self._service.put(BrokerLost(now))
            self._say("Zerodha session over", state.reason)

    # -- the stream ------------------------------------------------------------------------------

    def _reported(self, report: Report) -> None:
        match report:
            case Connected(again=again):
                if again and self._service is not None:
                    self._service.put(BrokerReached(self._clock.now()))  # updates are never sent twice
            case Fresh() if self.stream.fresh:  # a connection that stands may bring nothing all the same
                if self._stale_told:
                    self._say("Market data is back", f"Since {clock_text(report.at)}.")
                if self._stale_since is not None and self._service is not None:
                    self._service.put(MarketBack(self._clock.now()))
                self._stale_since, self._stale_told = None, False
            case Stale(keys=keys):
                log.warning("stream: %s", report.reason)
                if self._service is not None:
                    self._service.put(MarketLost(self._clock.now(), keys))
                if self._stale_since is None:
                    self._stale_since = ist(self._clock.now())
            case StreamLogin(reason=reason, access_token=token):
                self.session.lost(reason, token=token)
            case Unreadable(text=True):
                if self._service is not None:
                    self._service.put(BrokerReached(self._clock.now()))
            case _:
                log.info("stream: %s", report)

    def _tell_stale(self) -> None:
        since = self._stale_since
        if since is None or self._stale_told or not self._calendar.is_trading_day(since.date()):
            return
        self._stale_told = True
        self._say(
            "Market data has stopped",
            f"Since {clock_text(since)}. No entries on old prices; stops that rest at the broker work.",
        )

    # -- what the owner asks ---------------------------------------------------------------------

    def link(self) -> str:
        return self.session.login_link()

    async def login(self, pasted: str = "") -> str:
        logouts = self._logouts
        if pasted:
            state = await self.session.login(pasted)
        elif self.session.credentials.automatic:
            try:
                state = await self.session.login_automatically()
            except LoginNeeded as e:
                raise LoginNeeded(f"{e}\nBy hand: {self.link()}") from e
        else:
            raise LoginNeeded(f"Open this, log in, and paste the address you land on: {self.link()}")
        if logouts == self._logouts:
            self._logged_out = False
        until = "" if state.until is None else f" until {state.until:%a %H:%M}"
        return f"Logged in to Zerodha as {state.user_id}{until}."

    async def logout(self) -> str:
        self._logged_out = True
        self._logouts += 1
        await self.session.logout()
        return "Logged out of Zerodha. No quotes and no orders until /login."

    async def preflight(self) -> Sequence[CheckLine]:
        return (self.session_line(), self._fresh_line(), self._stream_line(), await self._address_line())

    def session_line(self) -> CheckLine:
        state = self.session.state
        if not state.valid:
            return CheckLine("Session", False, state.reason)
        until = f" until {state.until:%a %H:%M}" if state.until is not None else ""
        return CheckLine("Session", True, f"{state.user_id}{until}")

    def _fresh_line(self) -> CheckLine:
        today = ist(self._clock.now()).date()
        day = today if self._calendar.is_trading_day(today) else self._calendar.previous_trading_day(today)
        try:
            self.instruments.require_fresh(day)
        except InstrumentsStale as e:
            return CheckLine("Instruments", False, str(e))
        of_day = date_short(self.instruments.as_of or day)
        return CheckLine("Instruments", True, f"{len(self.instruments)} of {of_day}")

    def _stream_line(self) -> CheckLine:
        ok = all(self.stream.connected)
        return CheckLine("Stream", ok, "connected" if ok else "not connected")

    async def _address_line(self) -> CheckLine:
        wanted = self._kite.static_ip
        if not wanted:
            return CheckLine("Address", True, "not checked: KITE_STATIC_IP is empty")
        try:
            found = await self.rest.egress_ip()
        except MunimError as e:
            return CheckLine("Address", False, str(e))
        ok = found == wanted
        return CheckLine("Address", ok, found if ok else f"{found}, registered is {wanted}")

    # -- telling ---------------------------------------------------------------------------------

    def _say(self, title: str, body: str) -> None:
        if self._tell is None:
            self._untold.append((title, body))
            return

        async def say(tell: Tell) -> None:
            with contextlib.suppress(MunimError):
                await tell(title, body)

        task = asyncio.get_running_loop().create_task(say(self._tell))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
