"""The desk as chat reaches it: implements ``DeskPort`` over the running service."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from trader.broker.port import Broker
from trader.desk.commands import Arm, Command, Disarm, Pause, StartStrategy, StopStrategy
from trader.desk.costs import executed_of
from trader.desk.desk import Desk
from trader.desk.effects import Answer
from trader.desk.running import configure, require_together
from trader.desk.view import DeskView, QuoteView
from trader.domain.errors import InvalidInput, MunimError, UnknownName
from trader.domain.funds import Funds, Holding
from trader.domain.instrument import Instrument
from trader.domain.order import Order
from trader.domain.position import Fill, Trade
from trader.domain.records import Alert, AuditEntry, Priority, Setting
from trader.feed.port import Feed
from trader.market.calendar import Calendar
from trader.market.charges import Charges
from trader.market.contracts import OptionChain
from trader.market.instruments import Instruments
from trader.market.note import ContractNote, Executed
from trader.market.phases import venue_of
from trader.ports.clock import Clock
from trader.ports.store import Store
from trader.service.codes import OneTimeCodes
from trader.service.desk_service import DeskService
from trader.service.last_word import LastWord
from trader.service.port import About, AccountPort
from trader.service.proving import Proving, without_check
from trader.service.pump import Pump
from trader.service.studies import Studies
from trader.strategy.catalogue import Catalogue
from trader.strategy.info import StrategyInfo, strategy_info

_GLUED = re.compile(r"([A-Z&-]+)\s*([0-9]+(?:\.[0-9]+)?)\s*(CE|PE)")  # NIFTY25900CE
_LIVE = "live"
NOT_STARTED = "{} was still being checked: it is not started."
ALL_ORDERS = 1_000_000  # of a day; the broker takes 5,000


class DeskFront:
    def __init__(
        self,
        *,
        desk: Desk,
        service: DeskService,
        store: Store,
        clock: Clock,
        pump: Pump,
        feed: Feed,
        broker: Broker,
        calendar: Calendar,
        charges: Charges,
        instruments: Instruments,
        catalogue: Catalogue,
        about: About,
        settings: dict[str, str],
        risk_pct: str,
        codes: OneTimeCodes | None = None,
        account: AccountPort | None = None,
        studies: Studies,
    ) -> None:
        self._desk = desk
        self._service = service
        self._store = store
        self._clock = clock
        self._pump = pump
        self._feed = feed
        self._broker = broker
        self._calendar = calendar
        self._charges = charges
        self._instruments = instruments
        self._catalogue = catalogue
        self._proving = Proving(catalogue, self.setting, self.put_setting)
        self._about = about
        self._settings = settings
        self._risk_pct = risk_pct
        self._codes = codes
        self._account = account
        self._studies = studies
        self._told = 0
        self._starting = LastWord()  # by strategy
        self._arming = LastWord()

    def about(self) -> About:
        return self._about

    def now(self) -> datetime:
        return self._clock.now()

    def view(self) -> DeskView:
        return self._desk.view(self._clock.now())

    def quote(self, symbol: str) -> QuoteView:
        found = self._desk.quote(self.find(symbol).key)
        with contextlib.suppress(MunimError):  # it has no price then, which the answer shows
            self._feed.watch((found.key,))  # a live market shows it from the next moment on
        return found

    def instruments(self) -> Sequence[Instrument]:
        return list(self._instruments)

    def calendar(self) -> Calendar:
        return self._calendar

    def find(self, text: str) -> Instrument:
        try:
            return self._instruments.find(text)
        except UnknownName:
            if (option := self._without_expiry(text)) is not None:
                raise UnknownName("symbol", text.strip(), (), option) from None
            raise

    def _without_expiry(self, text: str) -> str | None:
        """``NIFTY 25900 CE`` for ``NIFTY25900CE``: typed apart it means the nearest expiry."""
        match = _GLUED.fullmatch(text.strip().upper())
        if match is None or not self._instruments.expiries(match[1]):
            return None
        return " ".join(match.groups())

    def chain(self, underlying: str, expiry: date | None = None) -> OptionChain:
        return self._instruments.chain(underlying, expiry)

    def search(self, text: str, limit: int = 10) -> Sequence[Instrument]:
        return self._instruments.search(text, limit)

    def strategies(self) -> Sequence[StrategyInfo]:
        return [strategy_info(self._catalogue.get(name)) for name in self._catalogue.names()]

    def strategy(self, name: str) -> StrategyInfo:
        return strategy_info(self._catalogue.get(name))

    def unusable(self) -> Mapping[str, str]:
        return self._catalogue.faults

    def settled(self, command: StartStrategy) -> Mapping[str, str]:
        kind = self._catalogue.get(command.strategy)
        configured = configure(kind, without_check(command.settings), {"risk": self._risk_pct})
        require_together(kind, command.symbols)
        return dict(configured.settings)

    async def ask(self, command: Command, *, source_id: str, actor: str) -> Answer:
        match command:
            case StartStrategy():
                return await self._start(command, source_id=source_id, actor=actor)
            case Disarm():
                self._arming.overtake(_LIVE, "/paper")
            case StopStrategy(name=name) if self._taken_back(name, "/stop_strategy"):
                # One of this name that was stopped before may have left positions, which are to be closed.
                if not (command.close and self._holds(name)):
                    return Answer(source_id, True, NOT_STARTED.format(name))
            case Pause(name=str(name)) if self._taken_back(name, "/pause"):
                return Answer(source_id, True, NOT_STARTED.format(name))
        return await self._service.ask(command, source_id=source_id, actor=actor)

    async def _start(self, command: StartStrategy, *, source_id: str, actor: str) -> Answer:
        with self._starting.pending(command.strategy.strip().casefold()) as start:
            proof = await self._proving.prove(command)
            if proof.refused:
                return Answer(source_id, False, proof.text)
            if start.overtaken:
                text = (
                    f"{command.strategy} is not started: {start.overtaken} came while it was being checked."
                )
                return Answer(source_id, False, text)
            start.told = True
            answer = await self._service.ask(proof.command, source_id=source_id, actor=actor)
        if answer.ok:
            await self._proving.note(command.strategy.strip().casefold())
        if answer.ok and proof.text:
            return replace(answer, text=f"{answer.text}\n{proof.text}")
        return answer

    async def look_at_edited(self) -> None:
        """What goes on after a restart from a file that was edited meanwhile is checked as at a start; one
        that would be refused enters nothing until the owner lets it."""
        alive = [i.instance for i in self.view().instances if i.instance.status.alive]
        for instance in alive:
            if (proof := await self._proving.edited(instance)) is None:
                continue
            said = proof.fault or proof.text or "It was checked before, and nothing was found against it."
            if proof.refused:
                source = f"edited:{self._about.started_at:%Y%m%d%H%M%S}:{instance.name}"
                pause = Pause(instance.name, by="the check of its file")
                await self._service.ask(pause, source_id=source, actor="the check")
                said = (
                    f"It would not be started like this. {said}\nIt is paused: no entries, exits go on. "
                    f"/resume {instance.name} ends that, /stop_strategy {instance.name} close ends it."
                )
            await self.tell(f"{instance.name} goes on from an edited file", said)
        for strategy in {instance.strategy for instance in alive}:
            await self._proving.note(strategy)

    def _taken_back(self, name: str, by: str) -> bool:
        """Starts of this name that are still being checked, unless one that runs is meant. Whether there were
        any."""
        if any(i.instance.name == name and i.instance.status.alive for i in self.view().instances):
            return False
        return self._starting.overtake(name, by) > 0

    def _holds(self, name: str) -> bool:
        return any(i.instance.name == name and i.open_positions for i in self.view().instances)

    def starting(self) -> Sequence[str]:
        return list(self._starting)

    async def fills(self, day: date | None = None, limit: int = 1000) -> list[Fill]:
        return await self._store.fills(day, limit)

    async def trades(self, day: date | None = None, limit: int = 1000) -> list[Trade]:
        return await self._store.trades(day, limit)

    async def orders(self, day: date | None = None, limit: int = 1000) -> list[Order]:
        return await self._store.orders(day, limit)

    async def note(self, day: date | None = None) -> ContractNote:
        day = day or self._clock.now().date()
        orders = await self._store.orders(day, ALL_ORDERS)
        rows = [self._executed(order, day) for order in orders]
        return self._charges.day([row for row in rows if row is not None], day)

    def _executed(self, order: Order, day: date) -> Executed | None:
        instrument = self._instruments.get(order.key)
        if instrument is None:
            return None
        broker_at = self._calendar.deadlines(day, venue_of(instrument)).broker_at
        return executed_of(order, instrument, broker_at)

    async def funds(self) -> Funds:
        return await self._broker.funds()

    async def holdings(self) -> Sequence[Holding]:
        return await self._broker.holdings()

    def account(self) -> AccountPort:
        if self._account is None:
            raise InvalidInput(
                f"A {self._about.market} market has no broker to log in to. MARKET=zerodha has."
            )
        return self._account

    async def arm(self, code: str, *, source_id: str, actor: str) -> Answer:
        """The preflight first: a code is good once, and would be wasted on a desk that is not ready."""
        with self._arming.pending(_LIVE) as arming:
            lines = await self.account().preflight()
        wrong = [line for line in lines if not line.ok]
        if wrong:
            faults = "\n".join(f"✗ {line.label}: {line.detail}" for line in wrong)
            return Answer(source_id, False, f"Not armed.\n{faults}")
        if self._codes is None:
            raise InvalidInput("OWNER_TOTP_SECRET is not set: without one-time codes a desk cannot be armed.")
        if arming.overtaken:
            return Answer(
                source_id, False, f"Not armed: {arming.overtaken} came while this was being checked."
            )
        self._codes.check(code)
        return await self.ask(Arm(), source_id=source_id, actor=actor)

    def studies(self) -> Studies:
        return self._studies

    async def audit(self, entry: AuditEntry) -> None:
        await self._store.commit([entry])

    async def audited(self, source_id: str) -> AuditEntry | None:
        return await self._store.audit_entry(source_id)

    async def setting(self, key: str) -> str | None:
        return self._settings.get(key)

    async def put_setting(self, key: str, value: str) -> None:
        await self._store.commit([Setting(key, value)])
        self._settings[key] = value

    async def tell(self, title: str, body: str) -> None:
        """An alert that does not come from trading: strangers, faults of the house."""
        self._told += 1
        alert_id = f"house:{self._about.started_at:%Y%m%d%H%M%S}:{self._told}"
        at = self._clock.now()
        await self._service.tell(Alert(alert_id, at, Priority.CRITICAL, "house", title, body))

    async def wait(self, *, wall: timedelta | None = None, until: datetime | None = None) -> datetime:
        if until is not None:
            return await self._pump.run_until(until)
        if wall is None:
            return await self._pump.run_until(self._session_end())
        if self._clock.speed is None:
            return await self._pump.run_until(self._clock.now() + wall)
        await asyncio.sleep(wall.total_seconds())
        return self._clock.now()

    def _session_end(self) -> datetime:
        now = self._clock.now()
        session = self._calendar.session(now.date())
        if session is None or now >= session.closes_at:
            later = self._calendar.session(self._calendar.next_trading_day(now.date()))
            return later.closes_at if later is not None else now
        return session.closes_at
