"""On the phone: messages that vanish after use, links, and alerts whose buttons are found late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

import pytest
from chat_room import Room
from fake_account import LANDED, TOKEN, a_lock
from fake_desk import NOW
from telegram import InlineKeyboardMarkup
from telegram_world import OWNER, QUICK, world

from handlers.digest import render_alert
from handlers.dispatch import OLD
from handlers.message import Button, Line, Link, Outgoing, Reply, say
from handlers.telegram.delivery import PLEASE_DELETE, keyboard
from handlers.telegram.settings import TelegramSettings
from handlers.telegram.supervisor import TelegramService
from sandbox.botapi import BotApiServer
from trader.desk.commands import Arm, Judge, Verdict
from trader.domain.records import Alert, Priority
from trader.domain.times import IST

SECRET = Outgoing(say("Logged in."), erase=True)
ALERT = Alert(
    "difference:NSE:RELIANCE:MIS:20261123101458", NOW, Priority.CRITICAL, "difference",
    "Order from elsewhere: BUY 100 RELIANCE MIS", "No entries in RELIANCE until your verdict.",
)  # fmt: skip


# -- after use ----------------------------------------------------------------------------------------


async def test_a_message_that_held_a_secret_is_taken_out_of_the_chat_after_the_answer() -> None:
    async with world() as w:
        w.dispatch.answers["/login x"] = SECRET
        w.server.say(OWNER, "/login x")
        w.server.say(OWNER, "/status")
        await w.server.wait_for(lambda: w.server.count("deleteMessage"))
        await w.server.wait_for(lambda: len(w.server.replies(OWNER)) == 2)
        left = [m.text for m in w.server.messages(OWNER) if not m.by_bot]
        assert (left, sorted(w.server.texts(OWNER))) == (["/status"], ["Logged in.", "echo /status"])


async def test_an_answer_does_not_wait_for_a_message_that_will_not_go() -> None:
    async with world() as w:
        w.server.fail("deleteMessage", 500, times=10_000)
        w.dispatch.answers["/login x"] = SECRET
        w.server.say(OWNER, "/login x")
        await w.server.wait_for_text(OWNER, "Logged in.")
        assert [m.text for m in w.server.messages(OWNER) if not m.by_bot] == ["/login x"]


async def test_deleting_is_tried_until_it_succeeds() -> None:
    async with world() as w:
        w.server.fail("deleteMessage", 500, times=3)
        w.dispatch.answers["/login x"] = SECRET
        w.server.say(OWNER, "/login x")
        await w.server.wait_for_text(OWNER, "Logged in.")
        await w.server.wait_for(lambda: not [m for m in w.server.messages(OWNER) if not m.by_bot])


@pytest.mark.parametrize(
    ("description", "asks"),
    [("message can't be deleted for everyone", True), ("message to delete not found", False)],
)
async def test_what_telegram_will_not_delete_its_writer_is_asked_to(description: str, asks: bool) -> None:
    async with world() as w:
        w.server.fail("deleteMessage", 400, description=f"Bad Request: {description}")
        w.dispatch.answers["/login x"] = SECRET
        w.server.say(OWNER, "/login x")
        await w.server.wait_for_text(OWNER, "Logged in.")
        await w.echoes("/after")
        if asks:
            await w.server.wait_for_text(OWNER, PLEASE_DELETE)
        assert (PLEASE_DELETE in w.server.texts(OWNER)) is asks


# -- links --------------------------------------------------------------------------------------------


def linking(address: str) -> Outgoing:
    reply = Reply((Line("To log in"),), ((Button("Status", "/status"),),), links=(Link("Log in", address),))
    return Outgoing(reply, (("aaaaaaaa",),))


def test_a_link_is_a_button_of_its_own_above_the_others() -> None:
    markup = keyboard(linking("https://kite.example/connect/login?v=3")).markup
    assert isinstance(markup, InlineKeyboardMarkup)
    rows = [[(b.text, b.url, b.callback_data) for b in row] for row in markup.inline_keyboard]
    assert rows == [
        [("Log in", "https://kite.example/connect/login?v=3", None)],
        [("Status", None, "k:aaaaaaaa")],
    ]


@pytest.mark.parametrize("address", ["http://127.0.0.1:8080/connect/login", "https://refused.example/login"])
async def test_an_address_telegram_makes_no_button_of_can_be_copied(address: str) -> None:
    async with world() as w:  # the local server refuses every button with an address
        w.dispatch.answers["/login"] = linking(address)
        w.server.say(OWNER, "/login")
        shown = await w.server.wait_for_text(OWNER, "To log in")
        assert shown.text == f"To log in\nLog in: {address}"
        assert shown.labels == [["Status"]]


# -- all of it together -------------------------------------------------------------------------------


@dataclass
class Phone:
    """The owner's phone, Telegram and the whole chat behind it, restarted at will."""

    room: Room
    server: BotApiServer

    @asynccontextmanager
    async def on(self) -> AsyncIterator[TelegramService]:
        self.room.__post_init__()
        self.room.dispatcher._booted_at = datetime.fromtimestamp(0, IST)
        settings = TelegramSettings(self.server.token, (OWNER,), api_url=self.server.base_url)
        service = TelegramService(
            settings, self.room.dispatcher, with_nonces=self.room.dispatcher.offer, pace=QUICK
        )
        stop = asyncio.Event()
        running = asyncio.create_task(service.run(stop))
        await self.server.wait_for(lambda: service._connection._bot is not None)
        try:
            yield service
        finally:
            stop.set()
            async with asyncio.timeout(8):
                await running


@asynccontextmanager
async def phone() -> AsyncIterator[Phone]:
    room = Room()
    room.desk.goes_live()
    room.desk.the_view = replace(room.desk.the_view, locks=(a_lock(),))
    async with BotApiServer(conflict_delay=0.05) as server:
        yield Phone(room, server)


@pytest.mark.parametrize("text", [LANDED, f"/login {TOKEN}", "/live 492039", f"/lgoin {TOKEN}"])
async def test_no_secret_stays_in_the_chat_the_audit_or_the_log(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="handlers")
    async with phone() as p, p.on():
        p.server.say(OWNER, text)
        await p.server.wait_for(lambda: p.server.count("deleteMessage"))
        await p.server.wait_for(lambda: all(m.by_bot for m in p.server.messages(OWNER)))
        shown = str(p.server.messages(OWNER))
    kept = f"{shown} {p.room.desk.audits} {caplog.text}"
    assert TOKEN not in kept
    assert "492039" not in kept
    assert p.room.desk.account().pasted or p.room.desk.asked or "lgoin" in text


async def test_an_update_delivered_again_does_not_arm_again() -> None:
    async with phone() as p:
        async with p.on():
            again = p.server.say(OWNER, "/live 492039")
            await p.server.wait_for_text(OWNER, "LIVE: armed")
            p.server.say(OWNER, "/paper")
            await p.server.wait_for_text(OWNER, "Disarmed")
        async with p.on():
            p.server.resend(again)
            p.server.say(OWNER, "/status")
            await p.server.wait_for_text(OWNER, "LIVE · DISARMED · ACTIVE")
    assert [type(c) for c, _, _ in p.room.desk.asked].count(Arm) == 1


async def test_an_alerts_button_decides_and_leaves_its_text_standing() -> None:
    async with phone() as p, p.on() as service:
        await service.channel.send(f"tg:{OWNER}", render_alert(ALERT), silent=False)
        alert = await p.server.wait_for_text(OWNER, "Order from elsewhere")
        p.server.press(alert.message_id, "Adopt")
        await p.server.wait_for_text(OWNER, "Adopt: NSE:RELIANCE")
        p.server.press(alert.message_id, "Ignore", lagging=True)
        await p.server.wait_for_text(OWNER, OLD)
        assert p.server.texts(OWNER)[0].startswith("Order from elsewhere: BUY 100 RELIANCE MIS")
        assert p.server.replies(OWNER)[0].keyboard == ()
    assert [c for c, _, _ in p.room.desk.asked] == [Judge("NSE:RELIANCE", Verdict.ADOPT)]


async def test_an_alerts_button_survives_a_restart_as_a_look_and_fresh_buttons() -> None:
    async with phone() as p:
        async with p.on() as service:
            await service.channel.send(f"tg:{OWNER}", render_alert(ALERT), silent=False)
            alert = await p.server.wait_for_text(OWNER, "Order from elsewhere")
        async with p.on():
            p.server.press(alert.message_id, "Flatten")
            now = await p.server.wait_for_text(OWNER, OLD)
            assert "RELIANCE is locked" in now.text
            assert p.room.desk.asked == []
            p.server.press(now.message_id, "Ignore")
            await p.server.wait_for_text(OWNER, "Ignore: NSE:RELIANCE")
        assert p.server.texts(OWNER)[0].startswith("Order from elsewhere")
    assert [c for c, _, _ in p.room.desk.asked] == [Judge("NSE:RELIANCE", Verdict.IGNORE)]
