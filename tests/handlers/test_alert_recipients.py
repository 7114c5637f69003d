"""A new recipient is not flooded with the past, and nobody else loses anything."""

from __future__ import annotations

from datetime import datetime

from handlers.recipients import RECIPIENTS, welcome
from storage.memory import MemoryLedger
from trader.domain.records import Alert, Priority, Setting
from trader.domain.times import IST

AT = datetime(2026, 11, 23, 10, 0, tzinfo=IST)


def alert(number: int) -> Alert:
    return Alert(f"a{number}", AT, Priority.FILL, "fill", f"fill {number}")


async def pending(store: MemoryLedger, *recipients: str) -> list[str]:
    return [entry.alert.alert_id for entry in await store.pending_alerts(recipients)]


async def test_somebody_new_hears_of_what_comes_and_not_of_what_was() -> None:
    store = MemoryLedger()
    await store.open()
    await store.commit([Setting(RECIPIENTS, "terminal"), alert(1), alert(2)])
    await welcome(store, ["tg:1"], AT)
    await store.commit([alert(3)])
    assert await pending(store, "tg:1") == ["a3"]
    assert (await store.load()).settings[RECIPIENTS] == "terminal,tg:1"


async def test_what_was_pending_for_somebody_known_stays_pending() -> None:
    store = MemoryLedger()
    await store.open()
    await store.commit([Setting(RECIPIENTS, "tg:1"), alert(1)])
    await welcome(store, ["tg:1", "tg:2"], AT)
    assert await pending(store, "tg:1") == ["a1"]
    assert await pending(store, "tg:2") == []
