"""Telegram misbehaves; the desk trades on, and everything it has to say is said in the end."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
import pytest_asyncio

from sandbox.botapi import ShownMessage
from tests.service.telegram_desk import OPEN_POSITIONS, OWNER, PATIENCE, TelegramDesk, telegram_desk

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE_FILL = re.compile(r"(?:BUY|SELL) \d+ \w+ @ ₹")
SOME_FILLS = re.compile(r"(\d+) fills\n")
ASKED = 1  # seconds Telegram asks us to wait


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TelegramDesk]:
    """Some orders are rejected, so that there is something critical to tell among the fills."""
    async with telegram_desk(tmp_path_factory.mktemp("outages"), PAPER_REJECT_PCT="8") as running:
        yield running


def fills_told(desk: TelegramDesk) -> int:
    """How many fills the chat has shown, one by one or in digests."""
    told = 0
    for shown in desk.server.replies(OWNER):
        if digest := SOME_FILLS.match(shown.text):
            told += int(digest[1])
        elif ONE_FILL.match(shown.text):
            told += 1
    return told


def since_mark(desk: TelegramDesk, mark: int) -> list[ShownMessage]:
    return [shown for shown in desk.server.replies(OWNER) if shown.message_id > mark]


def newest(desk: TelegramDesk) -> int:
    return int(str(desk.ledger.rows("SELECT coalesce(max(serial), 0) FROM alerts")[0][0]))


async def all_told(desk: TelegramDesk) -> None:
    """At rest, with nothing left in the outbox: the chat has every fill of the ledger."""
    await desk.eventually(lambda: not desk.undelivered())
    assert desk.count("alerts WHERE topic = 'fill'") == desk.count("fills")
    assert fills_told(desk) >= desk.count("fills")
    assert desk.count("alert_deliveries WHERE outcome != 'sent'") == 0


async def test_under_flood_control_a_kill_works_and_its_report_goes_first(desk: TelegramDesk) -> None:
    await desk.busy()
    fills, calls = desk.count("fills"), desk.server.count("sendMessage")
    desk.server.fail("sendMessage", 429, retry_after=ASKED, times=None)
    await desk.eventually(lambda: len([t for t in desk.undelivered() if t.startswith("Rejected")]) >= 2)
    assert desk.count("fills") > fills, "trading waited for Telegram"
    refused = desk.server.called("sendMessage")[calls:]
    assert all(later.at - earlier.at >= ASKED for earlier, later in pairwise(refused))
    mark = desk.mark(OWNER)
    kill = desk.server.say(OWNER, "/kill")
    await desk.eventually(lambda: [t for t in desk.undelivered() if t.startswith("FLAT verified")])
    assert desk.latch() == ("HALTED", "killed")
    assert desk.count(OPEN_POSITIONS) == 0
    assert since_mark(desk, mark) == [], "there was no flood control"
    urgent = [title for title in desk.undelivered() if title.startswith("Rejected")]
    desk.server.heal()
    assert (await desk.answer(kill, mark)).text.startswith("HALTED at")
    await all_told(desk)
    told = [shown.text for shown in since_mark(desk, mark)]
    order = [index for index, text in enumerate(told) if not text.startswith("HALTED at")]
    assert told[order[0]].startswith("FLAT verified")
    assert sum(text.startswith(tuple(urgent)) for text in told) == len(urgent)


async def test_an_outage_stops_no_trade_and_afterwards_what_is_critical_comes_first(
    desk: TelegramDesk,
) -> None:
    await desk.busy()
    # Not until all is told: a market this fast always has something new that goes first.
    await desk.eventually(lambda: desk.count("alert_deliveries WHERE outcome = 'sent'") > 0)
    fills = desk.count("fills")
    async with desk.server.outage():
        since = newest(desk)
        urgent = "alerts WHERE priority = 0 AND serial > ?"
        await desk.eventually(lambda: desk.count("fills") >= fills + 5 and desk.count(urgent, since))
        missed = newest(desk)
        assert desk.latch()[0] == "ACTIVE"
        assert (
            desk.count(
                "alert_deliveries WHERE alert_id IN (SELECT alert_id FROM alerts WHERE serial > ?)", since
            )
            == 0
        )
    mark = desk.mark(OWNER)
    await desk.flat()
    await all_told(desk)
    order = [
        (shown.message_id, title)
        for (title,) in desk.ledger.rows(
            "SELECT title FROM alerts WHERE priority = 0 AND serial > ? AND serial <= ?", since, missed
        )
        for shown in desk.server.replies(OWNER)
        if shown.message_id > mark and shown.text.startswith(str(title))
    ]
    first_fill = next(
        m.message_id for m in desk.server.replies(OWNER) if m.message_id > mark and is_fill(m.text)
    )
    assert order
    assert max(message for message, _ in order) < first_fill, "fills went before what was critical"


def is_fill(text: str) -> bool:
    return bool(ONE_FILL.match(text) or SOME_FILLS.match(text))


async def test_a_refused_poll_rebuilds_the_connection_and_nothing_else(desk: TelegramDesk) -> None:
    await desk.busy()
    lives, fills, thrown = desk.server.count("getMe"), desk.count("fills"), desk.count("latches")
    mark = desk.mark(OWNER)
    desk.server.fail("getUpdates", 401)
    # It ends the poll that is open. The next one, which was to acknowledge it, is refused: it comes again.
    asked = desk.server.say(OWNER, "/status")
    await desk.server.wait_for(lambda: desk.server.count("getMe") > lives, PATIENCE)
    await desk.answer(asked, mark)
    assert (await desk.ask("/version")).text.startswith("Munim ")
    assert [m.text.startswith("PAPER · ACTIVE") for m in since_mark(desk, mark)].count(True) == 1
    await desk.eventually(lambda: desk.count("fills") > fills)
    assert desk.count("latches") == thrown


async def test_a_second_poller_halts_the_desk_and_the_owner_is_told(desk: TelegramDesk) -> None:
    await desk.busy()
    mark = desk.mark(OWNER)
    await desk.server.wait_for(lambda: desk.server.updates.polled, PATIENCE)
    await desk.server.updates.poll(0, 100, 0, None)  # what another program with our token would do
    alert = await desk.alert("HALTED: ", since=mark)
    assert "409 Conflict" in alert.text
    assert desk.latch() == ("HALTED", "second_bot")
    entries = desk.count("orders WHERE asked_purpose = 'entry'")
    await desk.flat()
    assert desk.count("orders WHERE asked_purpose = 'entry'") == entries
    question = await desk.ask("/resume")
    assert "409 Conflict" in question.text
    assert (await desk.press(question, "Resume")).text.startswith("ACTIVE")


async def test_after_all_that_the_token_is_in_no_file_and_no_message(desk: TelegramDesk) -> None:
    lives = desk.server.count("getMe")
    desk.server.fail("getUpdates", 404)
    await desk.ask("/version")
    await desk.server.wait_for(lambda: desk.server.count("getMe") > lives, PATIENCE)
    assert desk.leaks() == []
    assert "Traceback" not in desk.said(), desk.said()
    assert "rebuilding" in desk.said()
