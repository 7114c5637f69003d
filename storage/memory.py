"""The ledger's twin in memory, for simulations under virtual time: nothing awaits, nothing survives the
process. It outlives ``close`` and ``open``, so a simulated restart finds its records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from operator import attrgetter
from typing import Any, TypeVar

from storage.kinds import COMMANDS_REMEMBERED, KEYS, ONCE, storable
from trader.domain.errors import CommitFailed
from trader.domain.order import Order, Tag
from trader.domain.position import DayResult, Fill, Position, Trade
from trader.domain.records import (
    Alert,
    AlertDelivery,
    AuditEntry,
    CommandDone,
    ExitPlan,
    Latch,
    LedgerState,
    OrderEvent,
    Record,
    RiskCounters,
    SessionRecord,
    Setting,
    StrategyInstance,
)
from trader.domain.times import ist
from trader.ports.store import PendingAlert

R = TypeVar("R")
_holder = attrgetter("owner", "key", "product")
_KEY: dict[type, Callable[[Any], Any]] = {
    kind: attrgetter(*names) if names else lambda record: None for kind, names in KEYS.items()
}


class MemoryLedger:
    """``Store`` in plain dictionaries, which keep the order of first writing as the tables' serials do.

    Set ``fail_next_commit`` to a reason (or True) and the next commit raises CommitFailed, once. While
    ``full`` every commit does.
    """

    def __init__(self) -> None:
        self.fail_next_commit: str | bool = False
        self.full = False
        self._kept: dict[type, dict[Any, Any]] = {kind: {} for kind in KEYS}
        self._counters: RiskCounters | None = None  # as written last

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def commit(self, records: Sequence[Record]) -> None:
        reason, self.fail_next_commit = self.fail_next_commit or self.full, False
        if reason:
            raise CommitFailed(f"Nothing was recorded: {'as a test wanted' if reason is True else reason}")
        try:
            whole = [(_KEY[type(record)], storable(record)) for record in records]
        except KeyError as fault:
            raise CommitFailed(f"Nothing was recorded: no table takes a {fault}") from fault
        except (TypeError, ValueError, OverflowError) as fault:
            raise CommitFailed(f"Nothing was recorded: {fault}") from fault
        for key, record in whole:
            self._keep(key(record), record)

    def _keep(self, key: Any, record: Record) -> None:
        kind = type(record)
        if kind in ONCE:
            self._kept[kind].setdefault(key, record)
        else:
            self._kept[kind][key] = record
        if isinstance(record, RiskCounters):
            self._counters = record

    def _all(self, kind: type[R]) -> Iterable[R]:
        return self._kept[kind].values()

    async def load(self) -> LedgerState:
        orders = self._orders_to_restore()
        latches, sessions = list(self._all(Latch)), list(self._all(SessionRecord))
        day = self._counters.day if self._counters else None
        commands = [done.source_id for done in self._all(CommandDone)]
        instances = sorted(self._all(StrategyInstance), key=lambda i: (i.started_at, i.name))
        return LedgerState(
            latch=latches[-1] if latches else None,
            last_session=sessions[-1] if sessions else None,
            instances=tuple(instances),
            orders=tuple(orders),
            order_sequences=self._sequences(orders),
            positions=tuple(sorted(self._all(Position), key=_holder)),
            plans=tuple(sorted((p for p in self._all(ExitPlan) if not p.closed), key=_holder)),
            counters=self._counters,
            day_results=tuple(await self.day_results(day)) if day else (),
            commands_done=frozenset(commands[-COMMANDS_REMEMBERED:]),
            settings={setting.key: setting.value for setting in self._all(Setting)},
            tag_serial=len(self._kept[Order]),
        )

    def _orders_to_restore(self) -> list[Order]:
        """Working ones, and those made or changed on the day of the order made last."""
        orders = list(self._all(Order))
        if not orders:
            return []
        day = ist(orders[-1].request.at).date()
        wanted = (o for o in orders if o.working or day in (_day(o.request.at), _day(o.updated_at)))
        return sorted(wanted, key=lambda o: o.request.at)

    def _sequences(self, orders: Sequence[Order]) -> dict[Tag, int]:
        last = dict.fromkeys((order.tag for order in orders), 0)
        for event in self._all(OrderEvent):
            if event.tag in last:
                last[event.tag] = max(last[event.tag], event.sequence)
        return last

    async def pending_alerts(self, recipients: Sequence[str]) -> list[PendingAlert]:
        reached: dict[str, set[str]] = {}
        for delivery in self._all(AlertDelivery):
            reached.setdefault(delivery.alert_id, set()).add(delivery.recipient)
        pending = [
            PendingAlert(alert, frozenset(reached.get(alert.alert_id, ())))
            for alert in self._all(Alert)
            if not set(recipients) <= reached.get(alert.alert_id, set())
        ]
        return sorted(pending, key=lambda p: (p.alert.priority, p.alert.at))

    async def audit_entry(self, source_id: str) -> AuditEntry | None:
        return self._kept[AuditEntry].get(source_id)

    async def audit_trail(self, limit: int) -> list[AuditEntry]:
        return list(self._all(AuditEntry))[::-1][: max(limit, 0)]

    async def fills(self, day: date | None = None, limit: int = 1000) -> list[Fill]:
        return _recent(self._all(Fill), lambda fill: fill.at, day, limit)

    async def sessions(self) -> list[SessionRecord]:
        return list(self._all(SessionRecord))

    async def trades(self, day: date | None = None, limit: int = 1000) -> list[Trade]:
        return _recent(self._all(Trade), lambda trade: trade.exit_at, day, limit)

    async def orders(self, day: date | None = None, limit: int = 1000) -> list[Order]:
        return _recent(self._all(Order), lambda order: order.request.at, day, limit)

    async def order_events(self, tag: Tag) -> list[OrderEvent]:
        events = (event for event in self._all(OrderEvent) if event.tag == tag)
        return sorted(events, key=lambda event: event.sequence)

    async def day_results(self, day: date) -> list[DayResult]:
        results = (result for result in self._all(DayResult) if result.day == day)
        return sorted(results, key=lambda result: result.owner)


def _recent(records: Iterable[R], at: Callable[[R], datetime], day: date | None, limit: int) -> list[R]:
    oldest_first = sorted(records, key=at)
    if day is not None:
        return [record for record in oldest_first if _day(at(record)) == day]
    return oldest_first[max(len(oldest_first) - max(limit, 0), 0) :]


def _day(at: datetime) -> date:
    return ist(at).date()
