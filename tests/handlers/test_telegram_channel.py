"""Alerts: what each of Telegram's moods means to the notifier."""

from __future__ import annotations

import pytest
from telegram_world import OWNER, STRANGER, VIEWER, World, world

from handlers.channel import ChannelDown, MaybeSent, Undeliverable
from handlers.message import Button, Line, Pre, Reply, say

TO = f"tg:{OWNER}"


async def connected(w: World) -> World:
    await w.connected()
    await w.server.wait_for(lambda: w.service._connection._bot is not None)
    return w


async def test_an_alert_arrives_silent_or_not() -> None:
    async with world() as w:
        await connected(w)
        await w.service.channel.send(TO, say("Bought 10 INFY"), silent=True)
        await w.service.channel.send(TO, say("Limit breached"), silent=False)
        shown = [(message.text, message.silent) for message in w.server.replies(OWNER)]
    assert shown == [("Bought 10 INFY", True), ("Limit breached", False)]


@pytest.mark.parametrize(("viewers_too", "ids"), [(False, [OWNER]), (True, [OWNER, VIEWER])])
async def test_alerts_go_to_owners_and_to_viewers_only_if_asked_for(
    viewers_too: bool, ids: list[int]
) -> None:
    async with world(alert_viewers=viewers_too) as w:
        assert w.service.channel.recipients == tuple(f"tg:{user}" for user in ids)
        with pytest.raises(Undeliverable):
            await w.service.channel.send(f"tg:{STRANGER}", say("x"), silent=False)


async def test_an_alert_with_buttons_gets_nonces_for_its_reader() -> None:
    async with world() as w:
        await connected(w)
        alert = Reply(say("Unprotected position").blocks, [[Button("Flatten", "/flatten")]])
        await w.service.channel.send(TO, alert, silent=False)
        [message] = w.server.replies(OWNER)
    assert message.keyboard[0][0].data == "k:nnnnnnnn"


async def test_without_a_connection_the_channel_is_down() -> None:
    async with world(up=False) as w:
        with pytest.raises(ChannelDown):
            await w.service.channel.send(TO, say("x"), silent=False)


@pytest.mark.parametrize(
    ("status", "retry_after", "description", "pause"),
    [
        (429, 7, None, 7),
        (500, None, None, None),
        (502, None, None, None),
        (401, None, None, None),
        (404, None, None, None),
        (409, None, None, None),
        (403, None, "Forbidden: bot was blocked by the user", 300),
        (400, None, "Bad Request: chat not found", 300),
    ],
)
async def test_refusals_that_leave_the_alert_pending(
    status: int, retry_after: int | None, description: str | None, pause: float | None
) -> None:
    async with world() as w:
        await connected(w)
        w.server.fail("sendMessage", status, retry_after=retry_after, description=description)
        with pytest.raises(ChannelDown) as down:
            await w.service.channel.send(TO, say("x"), silent=False)
        assert down.value.retry_after == pause
        assert down.value.shut is (pause == 300)
        assert w.server.count("sendMessage") == 1
        await w.service.channel.send(TO, say("x"), silent=False)
        assert w.server.texts(OWNER) == ["x"]


async def test_a_timeout_after_delivery_may_have_been_sent() -> None:
    async with world() as w:
        await connected(w)
        w.server.deliver_then_hang("sendMessage")
        with pytest.raises(MaybeSent):
            await w.service.channel.send(TO, say("Bought 10 INFY"), silent=False)
        assert w.server.texts(OWNER) == ["Bought 10 INFY"]


async def test_an_outage_leaves_the_alert_pending() -> None:
    async with world() as w:
        await connected(w)
        async with w.server.outage():
            with pytest.raises(ChannelDown):
                await w.service.channel.send(TO, say("x"), silent=False)


async def test_what_telegram_refuses_even_as_plain_text_is_undeliverable() -> None:
    async with world() as w:
        await connected(w)
        w.server.fail("sendMessage", 400, times=2, description="Bad Request: can't parse entities")
        with pytest.raises(Undeliverable):
            await w.service.channel.send(TO, say("x"), silent=False)
        assert w.server.count("sendMessage") == 2


async def test_a_long_alert_interrupted_halfway_goes_on_where_it_stopped() -> None:
    alert = Reply([Line("Orders", bold=True), Pre("\n".join(f"order {n:5}" for n in range(900)))])
    async with world() as w:
        await connected(w)
        w.server.delay("sendMessage", 0)  # the first part passes
        w.server.fail("sendMessage", 429, retry_after=1)
        with pytest.raises(ChannelDown):
            await w.service.channel.send(TO, alert, silent=False)
        await w.service.channel.send(TO, alert, silent=False)
        lines = "\n".join(w.server.texts(OWNER)).splitlines()
    assert lines == ["Orders", *(f"order {n:5}" for n in range(900))]
