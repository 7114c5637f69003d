"""What chat sees of the running service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from trader.desk.commands import Command, StartStrategy
from trader.desk.effects import Answer
from trader.desk.events import CheckLine
from trader.desk.view import DeskView, QuoteView
from trader.domain.funds import Funds, Holding
from trader.domain.instrument import Instrument
from trader.domain.order import Order
from trader.domain.position import Fill, Trade
from trader.domain.records import AuditEntry
from trader.market.calendar import Calendar
from trader.market.contracts import OptionChain
from trader.market.note import ContractNote
from trader.service.studies import Studies
from trader.strategy.info import ParamInfo, StrategyInfo


@dataclass(frozen=True, slots=True)
class About:
    version: str
    market: str  # "simulated", "replay", "zerodha"
    trading: str  # "paper", "live"
    speed: float | None  # market seconds a second; None: flat out
    started_at: datetime  # wall clock


class AccountPort(Protocol):
    """The account at a broker elsewhere: who is logged in, and whether the desk may use real money."""

    def link(self) -> str:
        """The address at which the owner logs in."""
        ...

    async def login(self, pasted: str = "") -> str:
        """With what was pasted after logging in at the link, or by the desk itself; what came of it. Raises
        LoginNeeded, InvalidInput with the sentence that helps."""
        ...

    async def logout(self) -> str: ...

    def session_line(self) -> CheckLine:
        """Whether somebody is logged in, without asking the broker; if not, why and what to do."""
        ...

    async def preflight(self) -> Sequence[CheckLine]:
        """What must be right before real money is used."""
        ...


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

    def strategy(self, name: str) -> StrategyInfo:
        """Raises UnknownName with a suggestion; InvalidInput with the file and its fault when that cannot be
        used."""
        ...

    def unusable(self) -> Mapping[str, str]:
        """Files of strategies that cannot be used, each with why."""
        ...

    def settled(self, command: StartStrategy) -> Mapping[str, str]:
        """Every parameter and option it would run with: what was given, else the strategy's own, else the
        desk's. Raises InvalidInput, UnknownName for what would be refused."""
        ...

    async def ask(self, command: Command, *, source_id: str, actor: str) -> Answer:
        """Have the desk act. A source id acts once however often it is given."""
        ...

    def starting(self) -> Sequence[str]:
        """Strategies whose start is asked for and not carried out yet. A stop or a pause takes it back."""
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

    async def holdings(self) -> Sequence[Holding]:
        """Shares held for delivery. Raises BrokerUnavailable."""
        ...

    def account(self) -> AccountPort:
        """Raises InvalidInput in a market that has none."""
        ...

    async def arm(self, code: str, *, source_id: str, actor: str) -> Answer:
        """Let the desk use real money: checks the one-time code and the preflight first."""
        ...

    def studies(self) -> Studies:
        """Backtests and searches."""
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


__all__ = ["About", "AccountPort", "DeskPort", "ParamInfo", "StrategyInfo"]
