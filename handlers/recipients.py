"""Who is new among those who get alerts: they hear of what happens from now on, not of all that ever was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from trader.domain.records import AlertDelivery, Setting
from trader.ports.store import Store

RECIPIENTS = "alert_recipients"  # setting: everybody who ever got alerts, separated by commas


async def welcome(store: Store, recipients: Sequence[str], at: datetime) -> None:
    """Take note of new recipients; what was pending for them from before counts as not theirs. Called before
    the desk is restored, so that what a start has to tell reaches everybody."""
    before = {name for name in (await store.load()).settings.get(RECIPIENTS, "").split(",") if name}
    new = [name for name in recipients if name not in before]
    if not new:
        return
    pending = await store.pending_alerts(new)
    closed = [
        AlertDelivery(entry.alert.alert_id, name, at, outcome="from before they were told of alerts")
        for entry in pending
        for name in new
        if name not in entry.delivered_to
    ]
    await store.commit([*closed, Setting(RECIPIENTS, ",".join(sorted(before | set(new))))])
