"""The desk as chat reaches it: implements ``DeskPort`` over the running service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from trader.desk.commands import Command
from trader.desk.desk import Desk
from trader.desk.effects import Answer
from trader.desk.view import DeskView, QuoteView
from trader.domain.instrument import Instrument
from trader.domain.order import Order
from trader.domain.position import Fill, Trade
from trader.domain.records import Alert, AuditEntry, Priority, Setting
from trader.market.calendar import Calendar
from trader.market.instruments import Instruments
from trader.ports.clock import Clock
from trader.ports.store import Store
from trader.service.desk_service import DeskService
from trader.service.port import About
from trader.service.pump import Pump
from trader.strategy.catalogue import Catalogue
from trader.strategy.info import ParamInfo, StrategyInfo, option_infos, strategy_info


class DeskFront:
    def __init__(
        self,
        *,
        desk: Desk,
        service: DeskService,
        store: Store,
        clock: Clock,
        pump: Pump,
        calendar: Calendar,
        instruments: Instruments,
        catalogue: Catalogue,
        about: About,
        settings: dict[str, str],
        risk_pct: str,
    ) -> None:
        self._desk = desk
        self._service = service
        self._store = store
        self._clock = clock
        self._pump = pump
        self._calendar = calendar
        self._instruments = instruments
        self._catalogue = catalogue
        self._about = about
        self._settings = settings
        self._risk_pct = risk_pct
        self._told = 0

    def about(self) -> About:
        return self._about

    def now(self) -> datetime:
        return self._clock.now()

    def view(self) -> DeskView:
        return self._desk.view(self._clock.now())

    def quote(self, symbol: str) -> QuoteView:
        return self._desk.quote(symbol)

    def instruments(self) -> Sequence[Instrument]:
        return list(self._instruments)

    def strategies(self) -> Sequence[StrategyInfo]:
        return [strategy_info(self._catalogue.get(name)) for name in self._catalogue.names()]

    def options(self) -> Sequence[ParamInfo]:
        return option_infos(None, {"risk": self._risk_pct})

    async def ask(self, command: Command, *, source_id: str, actor: str) -> Answer:
        return await self._service.ask(command, source_id=source_id, actor=actor)

    async def fills(self, day: date | None = None, limit: int = 1000) -> list[Fill]:
        return await self._store.fills(day, limit)

    async def trades(self, day: date | None = None, limit: int = 1000) -> list[Trade]:
        return await self._store.trades(day, limit)

    async def orders(self, day: date | None = None, limit: int = 1000) -> list[Order]:
        return await self._store.orders(day, limit)

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
        await self._store.commit([Alert(alert_id, at, Priority.CRITICAL, "house", title, body)])

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
