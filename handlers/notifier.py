"""Carries alerts from the ledger's outbox to people, until each is delivered.

An alert is in the outbox because the desk committed it together with what it tells of; it leaves when its
delivery is committed. One that the ledger does not take is carried from memory meanwhile. One courier serves
each recipient, so that nobody waits for another's outage.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from handlers.channel import Channel, ChannelDown, MaybeSent, Undeliverable
from handlers.digest import Message, choose, compose
from trader.domain.records import Alert, AlertDelivery, Priority
from trader.domain.times import IST
from trader.ports.store import Store

log = logging.getLogger(__name__)

TERMINAL = "terminal"  # needs no pacing
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds between attempts while something is down
MARGIN = 0.5  # seconds added to the time Telegram asks for (telegram.md 6)
SEND_DEADLINE = 60.0  # seconds after which a transport that does not answer may have sent it
GLANCE = 30.0  # seconds after which the outbox is looked into without a wake

Sleep = Callable[[float], Awaitable[object]]
Now = Callable[[], datetime]


class Notifier:
    """``pace`` is the least time in seconds between two messages to one recipient (Telegram bears about
    one a second). ``now`` is the wall clock, ``market_now`` the one alerts are dated by."""

    def __init__(
        self,
        store: Store,
        channel: Channel,
        *,
        pace: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        now: Now = lambda: datetime.now(IST),
        market_now: Now | None = None,
        unrecorded: Callable[[], Sequence[Alert]] = list,
    ) -> None:
        self._sleep = sleep
        self._mute = Mute(now)
        self._couriers = [
            Courier(
                recipient,
                store,
                channel,
                self._mute,
                pace=0.0 if recipient == TERMINAL else pace,
                monotonic=monotonic,
                sleep=sleep,
                now=market_now or now,
                unrecorded=unrecorded,
            )
            for recipient in channel.recipients
        ]
        self._serving = asyncio.Lock()  # two at a time would send the same alert twice

    def wake(self) -> None:
        """There may be something new in the outbox."""
        for courier in self._couriers:
            courier.wake()

    def heard(self, recipient: str) -> None:
        """They wrote, so they can be written to."""
        for courier in self._couriers:
            if courier.recipient == recipient:
                courier.heard.set()
                courier.wake()

    def mute(self, until: datetime | None) -> None:
        """Hold back everything that is not critical until then (wall clock); None ends it. What is held
        stays in the outbox and goes out as digests afterwards."""
        self._mute.until = until
        self.wake()

    @property
    def muted(self) -> bool:
        return self._mute.on

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with self._serving, asyncio.TaskGroup() as couriers:
            for courier in self._couriers:
                couriers.create_task(courier.run(), name=f"courier to {courier.recipient}")
            await asyncio.Event().wait()  # for ever, even with nobody to serve

    async def drain(self, timeout: float) -> bool:  # noqa: ASYNC109 (giving up is an answer here, no error)
        """Deliver what waits, for at most ``timeout`` seconds, whether ``run`` is still on or not. False when
        something had to be left for the next start."""
        runner = None if self._serving.locked() else asyncio.create_task(self.run())
        self.wake()
        idle: asyncio.Future[Any] = asyncio.gather(*(courier.idle.wait() for courier in self._couriers))
        patience: asyncio.Future[Any] = asyncio.ensure_future(self._sleep(timeout))
        try:
            await asyncio.wait({idle, patience}, return_when=asyncio.FIRST_COMPLETED)
            return idle.done()
        finally:
            await _end(idle, patience, *([runner] if runner else []))


class Mute:
    def __init__(self, now: Now) -> None:
        self._now = now
        self.until: datetime | None = None

    @property
    def remaining(self) -> float:
        """Seconds, zero when nothing is muted."""
        return max((self.until - self._now()).total_seconds(), 0.0) if self.until else 0.0

    @property
    def on(self) -> bool:
        return self.remaining > 0


class Courier:
    """Serves one recipient."""

    def __init__(
        self,
        recipient: str,
        store: Store,
        channel: Channel,
        mute: Mute,
        *,
        pace: float,
        monotonic: Callable[[], float],
        sleep: Sleep,
        now: Now,
        unrecorded: Callable[[], Sequence[Alert]],
    ) -> None:
        self.recipient = recipient
        self.idle = asyncio.Event()  # nothing is left that may be sent now
        self._store, self._channel, self._mute, self._now = store, channel, mute, now
        self._pace, self._monotonic, self._sleep = pace, monotonic, sleep
        self._unrecorded = unrecorded
        self._early: set[str] = set()  # delivered before the ledger had them
        self._woken = asyncio.Event()
        self.heard = asyncio.Event()  # they wrote since the last message was tried
        self._free_at = 0.0  # monotonic time of the next message
        self._wait = 0.0  # the last wait while something was down
        self._unwritten: dict[str, AlertDelivery] = {}  # delivered, but the ledger does not know yet
        self._doubtful: set[str] = set()  # critical ones that may have arrived
        self._alone: set[str] = set()  # their digest could not be sent: one of them spoils it
        self._tried: set[str] = set()  # critical ones that met this outage already

    def wake(self) -> None:
        self.idle.clear()
        self._woken.set()

    async def run(self) -> None:
        while True:
            try:
                await self._round()
            except Exception as error:
                # Only the type: a transport's text may hold the bot's token.
                log.warning("Alerts to %s are held up by %s", self.recipient, type(error).__name__)
                await self._back_off()

    async def _round(self) -> None:
        """Send one message, or wait until there is something to do."""
        await self._nap(self._free_at - self._monotonic())
        self._woken.clear()
        # Chosen after the pause, so that what is critical goes before all that waited with it.
        waiting = await self._waiting()
        alerts = choose(waiting, alone=self._alone)
        if alerts:
            repeat = alerts[0].alert_id in self._doubtful
            await self._send(compose(alerts, self._now(), repeat=repeat))
        await self._write()
        if not alerts and not self._woken.is_set():
            self.idle.set()
            self._wait = 0.0
            await self._doze(min(GLANCE, self._mute.remaining or GLANCE))

    async def _waiting(self) -> list[Alert]:
        """While the ledger cannot even be read, what it has not taken is told all the same."""
        try:
            pending = await self._store.pending_alerts((self.recipient,))
        except Exception:
            if found := self._sendable(()):
                return found
            raise
        return self._sendable([p.alert for p in pending])

    def _sendable(self, recorded: Sequence[Alert]) -> list[Alert]:
        muted = self._mute.on
        return [
            alert
            for alert in self._with_unrecorded(recorded)
            if alert.alert_id not in self._unwritten and (not muted or alert.priority is Priority.CRITICAL)
        ]

    def _with_unrecorded(self, recorded: Sequence[Alert]) -> Sequence[Alert]:
        """By priority, then age."""
        found = {alert.alert_id: alert for alert in self._unrecorded()}
        self._early &= found.keys()
        for known in (*self._early, *(alert.alert_id for alert in recorded)):
            found.pop(known, None)
        return sorted([*recorded, *found.values()], key=lambda a: (a.priority, a.at)) if found else recorded

    async def _send(self, message: Message) -> None:
        self.heard.clear()
        try:
            async with asyncio.timeout(SEND_DEADLINE):
                await self._channel.send(self.recipient, message.reply, silent=message.silent)
        except ChannelDown as down:
            await self._wait_out(down, message.alerts)
            return
        except (MaybeSent, TimeoutError):
            first = message.alerts[0].alert_id
            if message.critical and first not in self._doubtful:
                self._doubtful.add(first)
            else:
                self._delivered(message.alerts, "sent")
        except Undeliverable as error:
            self._refused(message.alerts, error)
        else:
            self._delivered(message.alerts, "sent")
        self._wait = 0.0
        self._tried.clear()
        self._free_at = self._monotonic() + self._pace

    def _delivered(self, alerts: Sequence[Alert], outcome: str) -> None:
        early = {alert.alert_id for alert in self._unrecorded()}
        for alert in alerts:
            self._early |= {alert.alert_id} & early
            self._unwritten[alert.alert_id] = AlertDelivery(
                alert.alert_id, self.recipient, self._now(), outcome
            )
            self._doubtful.discard(alert.alert_id)
            self._alone.discard(alert.alert_id)

    def _refused(self, alerts: Sequence[Alert], error: Undeliverable) -> None:
        if len(alerts) > 1:
            self._alone.update(alert.alert_id for alert in alerts)
            return
        log.error("Alert %s can never reach %s: %s", alerts[0].alert_id, self.recipient, error)
        self._delivered(alerts, f"undeliverable: {error}")

    async def _write(self) -> None:
        """Commit deliveries. Should the ledger refuse, they are kept in mind: nothing is sent twice, and
        alerts go on being sent."""
        if not self._unwritten:
            return
        records = dict(self._unwritten)
        await self._store.commit(list(records.values()))
        for alert_id in records:
            del self._unwritten[alert_id]

    async def _wait_out(self, down: ChannelDown, alerts: Sequence[Alert]) -> None:
        log.info("%s cannot be reached, %d alerts and more are kept", self.recipient, len(alerts))
        self._tried.update(alert.alert_id for alert in alerts)
        if down.shut:
            await self._either(self.heard, down.retry_after or LONGEST_WAIT)
        elif down.retry_after is not None:  # told when: asking earlier makes it longer
            await self._nap(down.retry_after + MARGIN)
        else:
            await self._back_off()

    async def _back_off(self) -> None:
        """1, 2, 4 … 60 seconds; a critical alert that has not been tried yet ends the wait, and so does a
        message of theirs: what brings it here may take ours."""
        self._wait = min(max(self._wait * 2, FIRST_WAIT), LONGEST_WAIT)
        until = self._monotonic() + self._wait
        while (left := until - self._monotonic()) > 0:
            if await self._doze(left) and (self.heard.is_set() or await self._something_critical()):
                return

    async def _something_critical(self) -> bool:
        self._woken.clear()
        try:
            waiting = await self._waiting()
        except Exception:  # the outbox is what is down
            return False
        return any(a.priority is Priority.CRITICAL and a.alert_id not in self._tried for a in waiting)

    async def _nap(self, seconds: float) -> None:
        if seconds > 0:
            await self._sleep(seconds)

    async def _doze(self, seconds: float) -> bool:
        """Until woken (True), or for ``seconds`` (False)."""
        return await self._either(self._woken, seconds)

    async def _either(self, event: asyncio.Event, seconds: float) -> bool:
        """Until it is set (True), or for ``seconds`` (False)."""
        happened: asyncio.Future[Any] = asyncio.ensure_future(event.wait())
        slept: asyncio.Future[Any] = asyncio.ensure_future(self._sleep(seconds))
        try:
            await asyncio.wait({happened, slept}, return_when=asyncio.FIRST_COMPLETED)
            return event.is_set()
        finally:
            await _end(happened, slept)


async def _end(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
