"""What chat sees of the running service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from trader.desk.commands import Command
from trader.desk.effects import Answer
from trader.desk.view import DeskView, QuoteView
from trader.domain.funds import Funds
from trader.domain.instrument import Instrument
from trader.domain.order import Order
from trader.domain.position import Fill, Trade
from trader.domain.records import AuditEntry
from trader.market.calendar import Calendar
from trader.market.contracts import OptionChain
from trader.market.note import ContractNote
from trader.strategy.info import ParamInfo, StrategyInfo


@dataclass(frozen=True, slots=True)
class About:
    version: str
    market: str  # "simulated", "replay", "zerodha"
    trading: str  # "paper", "live"
    speed: float | None  # market seconds a second; None: flat out
    started_at: datetime  # wall clock


class DeskPort(Protocol):
    """Reads are immediate and consistent; ``ask`` goes through the desk's queue like everything else."""

    def about(self) -> About: ...

    def now(self) -> datetime:
        """Market time."""
        ...

    def view(self) -> DeskView: ...

    def quote(self, symbol: str) -> QuoteView:
        """Raises UnknownName with a suggestion."""
        ...

    def instruments(self) -> Sequence[Instrument]: ...

    def calendar(self) -> Calendar:
        """The house's own; closures change it, through CloseDay and ReopenDay only."""
        ...

    def find(self, text: str) -> Instrument:
        """``RELIANCE``, ``NIFTY 26DEC 26000 CE``. Raises UnknownName with a suggestion, InvalidInput for a
        contract that is not listed."""
        ...

    def chain(self, underlying: str, expiry: date | None = None) -> OptionChain:
        """Of the nearest expiry without one. Raises UnknownName, InvalidInput."""
        ...

    def search(self, text: str, limit: int = 10) -> Sequence[Instrument]: ...

    def strategies(self) -> Sequence[StrategyInfo]:
        """What can be started, by name."""
        ...

    def options(self) -> Sequence[ParamInfo]:
        """The common options every strategy takes (stop, target, trail, risk, product …)."""
        ...

    async def ask(self, command: Command, *, source_id: str, actor: str) -> Answer:
        """Have the desk act. A source id acts once however often it is given."""
        ...

    async def fills(self, day: date | None = None, limit: int = 1000) -> list[Fill]: ...

    async def trades(self, day: date | None = None, limit: int = 1000) -> list[Trade]: ...

    async def orders(self, day: date | None = None, limit: int = 1000) -> list[Order]: ...

    async def note(self, day: date | None = None) -> ContractNote:
        """The contract note of a market day, from the ledger's orders; of today without one. Empty for a day
        without executions."""
        ...

    async def funds(self) -> Funds:
        """Raises BrokerUnavailable."""
        ...

    async def audit(self, entry: AuditEntry) -> None:
        """Write an audit line (once with the verdict, again with the outcome)."""
        ...

    async def audited(self, source_id: str) -> AuditEntry | None: ...

    async def setting(self, key: str) -> str | None: ...

    async def put_setting(self, key: str, value: str) -> None: ...

    async def wait(self, *, wall: timedelta | None = None, until: datetime | None = None) -> datetime:
        """Let the market run: for ``wall`` of the owner's time (at flat-out speed: of market time), or
        until a market time, or, with neither, until the session or recording ends. The time reached."""
        ...


__all__ = ["About", "DeskPort", "ParamInfo", "StrategyInfo"]
