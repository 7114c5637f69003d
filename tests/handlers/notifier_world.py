"""A notifier in virtual time: hours pass in milliseconds, always the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from handlers.message import Reply
from handlers.notifier import Notifier
from trader.domain.records import Alert, AlertDelivery, Priority, Record
from trader.domain.times import IST
from trader.ports.store import PendingAlert

OPENING = datetime(2026, 11, 23, 9, 15, tzinfo=IST)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = 0.0
        real_select = self._selector.select  # type: ignore[attr-defined]  # the one place where a loop waits

        def select(timeout: float | None) -> Any:
            if timeout:
                self._virtual += timeout
            return real_select(0 if timeout is not None else None)

        self._selector.select = select  # type: ignore[attr-defined]  # as above

    def time(self) -> float:
        return self._virtual


@dataclass
class Outbox:
    """The part of a ledger the notifier uses. ``fault`` may raise, by the name of the call."""

    alerts: list[Alert] = field(default_factory=list)
    deliveries: list[AlertDelivery] = field(default_factory=list)
    fault: Callable[[str], None] = lambda call: None

    async def commit(self, records: Sequence[Record]) -> None:
        await asyncio.sleep(0)
        self.fault("commit")
        self.deliveries += [r for r in records if isinstance(r, AlertDelivery)]

    async def pending_alerts(self, recipients: Sequence[str]) -> list[PendingAlert]:
        await asyncio.sleep(0)
        self.fault("pending_alerts")
        pending = []
        for alert in sorted(self.alerts, key=lambda a: (a.priority, a.at)):
            reached = {d.recipient for d in self.deliveries if d.alert_id == alert.alert_id}
            if not reached.issuperset(recipients):
                pending.append(PendingAlert(alert, frozenset(reached)))
        return pending

    def outcomes(self, recipient: str) -> dict[str, str]:
        return {d.alert_id: d.outcome for d in self.deliveries if d.recipient == recipient}


@dataclass(frozen=True)
class Sent:
    at: float
    recipient: str
    lines: tuple[str, ...]
    silent: bool

    @property
    def title(self) -> str:
        return self.lines[0]


@dataclass
class Air:
    """A channel whose ``weather`` may raise, or take its time, before a message arrives."""

    recipients: tuple[str, ...] = ("tg:1",)
    sent: list[Sent] = field(default_factory=list)
    attempts: list[float] = field(default_factory=list)
    weather: Callable[[str, Reply], Awaitable[None]] | None = None

    async def send(self, recipient: str, message: Reply, *, silent: bool) -> None:
        now = asyncio.get_running_loop().time()
        self.attempts.append(now)
        if self.weather is not None:
            await self.weather(recipient, message)
        self.sent.append(Sent(now, recipient, tuple(b.text for b in message.blocks), silent))

    def titles(self, recipient: str = "tg:1") -> list[str]:
        return [s.title for s in self.sent if s.recipient == recipient]


class World:
    def __init__(self, *recipients: str) -> None:
        self.loop = asyncio.get_running_loop()
        self.outbox = Outbox()
        self.air = Air(recipients or ("tg:1",))
        self.unrecorded: list[Alert] = []
        self.notifier = self.fresh()
        self._tasks: list[asyncio.Task[None]] = []
        self._count = 0

    def fresh(self) -> Notifier:
        """A notifier that remembers nothing, as after a restart."""
        return Notifier(
            self.outbox,  # type: ignore[arg-type]  # the part of a Store that is used
            self.air,
            monotonic=self.loop.time,
            sleep=asyncio.sleep,
            now=self.now,
            unrecorded=lambda: self.unrecorded,
        )

    def now(self) -> datetime:
        return OPENING + timedelta(seconds=self.loop.time())

    def raise_alert(
        self, priority: Priority = Priority.FILL, topic: str = "fill", title: str = "", body: str = ""
    ) -> Alert:
        self._count += 1
        alert = Alert(f"a{self._count}", self.now(), priority, topic, title or f"{topic} {self._count}", body)
        self.outbox.alerts.append(alert)
        self.notifier.wake()
        return alert

    def raise_unrecorded(self, title: str) -> None:
        """One that the ledger does not take."""
        self.unrecorded.append(self.raise_alert(Priority.CRITICAL, "order", title))
        self.outbox.alerts.pop()

    def recorded(self) -> None:
        """The ledger takes them after all."""
        self.outbox.alerts += self.unrecorded
        self.unrecorded = []
        self.notifier.wake()

    def start(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self.notifier.run())
        self._tasks.append(task)
        return task

    async def restart(self) -> None:
        await self.stop()
        self.notifier = self.fresh()
        self.start()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def undelivered(self, recipient: str = "tg:1") -> list[str]:
        reached = self.outbox.outcomes(recipient)
        return [a.alert_id for a in self.outbox.alerts if a.alert_id not in reached]
