"""The process dies or is told to go, comes back on the same records, and nothing happens twice."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta

import pytest
import pytest_asyncio

from handlers.dispatch import EXPIRED
from sandbox.botapi.people import wall_now
from tests.service.telegram_desk import OPEN_ORDERS, OPEN_POSITIONS, OWNER, TelegramDesk, telegram_desk

pytestmark = pytest.mark.asyncio(loop_scope="module")

START = "/start_strategy ema_crossover RELIANCE,TCS,INFY,SBIN 15s"
WORKED_ON = "was being worked on when Munim restarted."


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TelegramDesk]:
    async with telegram_desk(tmp_path_factory.mktemp("restarts")) as running:
        yield running


def answers(desk: TelegramDesk, part: str) -> int:
    return sum(part in text for text in desk.server.texts(OWNER))


def forget_outcome(desk: TelegramDesk, update: int) -> None:
    """Leave the audit as a crash between the desk's commit and the answer leaves it."""
    with closing(sqlite3.connect(desk.ledger.path)) as connection, connection:
        connection.execute("UPDATE audit_log SET outcome = '' WHERE source_id = ?", (f"tg:{update}",))


async def test_an_update_delivered_again_acts_once_even_across_a_crash(desk: TelegramDesk) -> None:
    await desk.trading()
    instances = desk.count("strategy_instances")
    mark = desk.mark(OWNER)
    first = desk.server.say(OWNER, START)
    await desk.answer(first, mark)
    started = answers(desk, "Started ")
    desk.server.resend(first)
    await desk.ask("/version")

    done = "commands_done WHERE source_id = ?"
    second = desk.server.say(OWNER, START)
    await desk.eventually(lambda: desk.count(done, f"tg:{second}"))  # before that a brake would end it
    paused = desk.server.say(OWNER, "/pause")
    await desk.eventually(lambda: desk.count(done, f"tg:{paused}"))
    await desk.kill()  # their answers may or may not have got out
    assert (desk.count("strategy_instances"), desk.latch()[0]) == (instances + 2, "REDUCING")
    for update in (second, paused):
        forget_outcome(desk, update)
    for update in (first, second, paused):
        desk.server.resend(update)
    missed = desk.server.say(OWNER, START, date=wall_now() - timedelta(seconds=5))  # before the next start
    mark = desk.mark(OWNER)
    await desk.start()

    halted = await desk.alert("HALTED: the last run did not end in order", since=mark)
    assert "The process was killed or the machine went down." in halted.text
    assert desk.latch() == ("HALTED", "unclean_exit")
    assert WORKED_ON in (await desk.answer(second, mark)).text
    assert (await desk.answer(paused, mark)).text == "Done already."
    assert "not run; send again if you still want it." in (await desk.answer(missed, mark)).text
    assert desk.count("strategy_instances") == instances + 2
    assert answers(desk, "Started ") - started <= 1
    assert answers(desk, "Done already") == 1, "an answered update was answered again"

    question = await desk.ask("/resume")
    assert "Why: The process was killed" in question.text
    fills = desk.count("fills")
    assert "strategies running" in (await desk.press(question, "Resume")).text
    await desk.eventually(lambda: desk.count("fills") > fills)


async def test_told_to_stop_it_stops_in_order_and_goes_on_where_it_was(desk: TelegramDesk) -> None:
    await desk.holding()
    assert await desk.stop() == 0
    [(ended,)] = desk.ledger.rows("SELECT ended_at FROM sessions ORDER BY serial DESC LIMIT 1")
    assert ended is not None
    assert desk.count("fills WHERE at > ?", ended) == 0, "it traded on after its session had ended"
    left = set(desk.undelivered())  # a stop waits two seconds for its last alerts, at a message a second
    assert len(left) <= 2, "the last alerts did not leave"
    running = desk.ledger.rows("SELECT name FROM strategy_instances WHERE status = 'RUNNING' ORDER BY name")

    desk.settings["REPLAY_SPEED"] = "0.2"  # so slow that a kill takes its time: for the next test, too
    mark = desk.mark(OWNER)
    await desk.start()
    await desk.eventually(lambda: not left & set(desk.undelivered()))
    status = await desk.ask("/status")
    assert status.text.startswith("PAPER · ACTIVE")
    assert all(str(name) in status.text.replace("\n", " ") for (name,) in running)
    again = "SELECT name FROM strategy_instances WHERE status = 'RUNNING' ORDER BY name"
    await desk.eventually(lambda: desk.ledger.rows(again) == running)
    assert not [m for m in desk.server.replies(OWNER) if m.message_id > mark and "HALTED" in m.text]


async def test_a_kill_cut_short_is_finished_after_the_restart(desk: TelegramDesk) -> None:
    await desk.holding()
    mark = desk.mark(OWNER)
    await desk.ask("/pause")
    question = await desk.ask("/resume")
    await desk.ask("/kill")
    await desk.kill()
    desk.settings["REPLAY_SPEED"] = "120"
    await desk.start()
    await desk.alert("FLAT verified", since=mark)
    assert desk.latch() == ("HALTED", "killed")
    assert (desk.count(OPEN_POSITIONS), desk.count(f"orders WHERE {OPEN_ORDERS}")) == (0, 0)
    pressed = await desk.press(question, "Resume")
    assert pressed.text == EXPIRED
    assert question.text.startswith("PAPER · the desk is REDUCING"), "an old message keeps its text"
    assert desk.latch()[0] == "HALTED"
    fills = desk.count("fills")
    await desk.trading()
    await desk.eventually(lambda: desk.count("fills") > fills)


async def test_nothing_was_leaked_and_nothing_raised(desk: TelegramDesk) -> None:
    assert await desk.stop() == 0
    assert desk.leaks() == []
    assert "Traceback" not in desk.said(), desk.said()
