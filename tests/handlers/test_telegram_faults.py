"""Telegram misbehaves; the service recovers without a restart and never raises."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from telegram_world import OWNER, QUICK, STRANGER, confirm, world

from handlers.message import Kind, Outgoing, say
from sandbox.botapi import BotApiServer


@pytest.mark.parametrize("status", [401, 404])
async def test_a_poll_refused_for_its_token_makes_a_new_bot_that_hears(status: int) -> None:
    async with world(pace=replace(QUICK, silence=60)) as w:  # at once, not when the poll clock runs out
        await w.echoes("/before")
        w.server.fail("getUpdates", status)
        await w.echoes("/during")  # ends the open poll, so the next one is refused
        await w.server.wait_for(lambda: w.server.count("getMe") == 2)
        await w.echoes("/after")


async def test_polls_that_hang_are_noticed_by_the_clock() -> None:
    async with world() as w:
        await w.echoes("/before")
        w.server.hang("getUpdates", times=None)
        w.server.say(OWNER, "/unheard")  # ends the open poll; from here on all of them hang
        await w.server.wait_for(lambda: w.server.count("getMe") == 2)
        w.server.heal()
        await w.server.wait_for_text(OWNER, "echo /unheard")
        await w.echoes("/after")


async def test_a_poll_answered_by_a_captive_portal_is_no_sign_of_life() -> None:
    async with world() as w:
        await w.echoes("/before")
        w.server.garble("getUpdates", times=None)
        w.server.say(OWNER, "/unheard")
        await w.server.wait_for(lambda: w.server.count("getMe") == 2)
        w.server.heal()
        await w.echoes("/after")


async def test_it_starts_without_telegram_and_connects_when_there_is_one() -> None:
    async with world(up=False) as w:
        await asyncio.sleep(0)
        assert not w.running.done()
        await w.server.come_back()
        await w.echoes("/status")


async def test_a_token_refused_at_the_start_is_tried_again() -> None:
    async with world(up=False) as w:
        w.server.fail("getMe", 401, times=3)
        await w.server.come_back()
        await w.echoes("/status")
        assert w.server.count("getMe") == 4


async def test_an_outage_by_day_is_survived_and_what_was_sent_meanwhile_is_answered() -> None:
    async with world() as w:
        await w.echoes("/before")
        async with w.server.outage():
            w.server.say(OWNER, "/meanwhile")
        await w.server.wait_for_text(OWNER, "echo /meanwhile")
        await w.echoes("/after")


async def test_dropped_connections_are_nothing_special() -> None:
    async with world() as w:
        await w.connected()
        w.server.drop_connection("getUpdates", times=2)
        await w.echoes("/status")
        assert w.server.count("getMe") == 1


async def test_an_answer_waits_for_the_end_of_a_flood_limit() -> None:
    async with world() as w:
        w.server.fail("sendMessage", 429, retry_after=1)
        await w.echoes("/status")
        assert w.server.count("sendMessage") == 2


async def test_an_answer_that_timed_out_after_delivery_is_not_sent_twice() -> None:
    async with world() as w:
        w.server.deliver_then_hang("sendMessage")
        await w.echoes("/status")
        await w.echoes("/next")
        assert w.server.texts(OWNER) == ["echo /status", "echo /next"]


async def test_an_answer_that_is_given_up_is_told_of_once_and_one_that_arrived_is_not() -> None:
    async def course() -> AsyncIterator[Outgoing]:
        for text in ("10%", "20%", "100%"):
            yield Outgoing(say(text))

    async with world(pace=replace(QUICK, answer_within=0.3)) as w:
        w.dispatch.answers["/backtest"] = Outgoing(say("Begun"), course=course())
        await w.echoes("/before")
        w.server.fail("sendMessage", 502, times=10_000)
        w.server.say(OWNER, "/status")
        w.server.say(OWNER, "/backtest")
        await w.server.wait_for(lambda: len(w.unanswered) == 2)
        assert sorted(w.unanswered) == ["/backtest", "/status"]
        w.server.heal()
        await w.echoes("/after")
        assert len(w.unanswered) == 2


async def test_an_edit_that_timed_out_is_repeated_since_that_does_no_harm() -> None:
    async with world() as w:
        w.dispatch.answers["/kill"] = confirm("aaaaaaaa", "bbbbbbbb")
        w.dispatch.answers["aaaaaaaa"] = Outgoing(say("FLAT"))
        w.server.say(OWNER, "/kill")
        asked = await w.server.wait_for_text(OWNER, "Flatten 3")
        w.server.hang("editMessageText")
        w.server.press(asked.message_id, "Flatten")
        await w.server.wait_for_text(OWNER, "FLAT")
        assert w.server.texts(OWNER) == ["FLAT"]


async def test_an_answer_begun_before_a_rebuild_goes_out_after_it() -> None:
    async with world() as w:
        release = asyncio.Event()
        w.dispatch.slow["/report"] = release.wait
        w.server.say(OWNER, "/report")
        await w.server.wait_for(lambda: w.dispatch.texts() == ["/report"])
        w.server.fail("getUpdates", 401)
        await w.echoes("/ends-the-open-poll")
        await w.server.wait_for(lambda: w.server.count("getMe") == 2)
        release.set()
        await w.server.wait_for_text(OWNER, "echo /report")


async def test_a_second_poller_is_reported_once_and_polling_goes_on() -> None:
    async with world() as w:
        await w.echoes("/before")
        await w.connected()
        for _ in range(2):
            await w.server.updates.poll(0, 100, 0, None)
            await w.connected()
        await w.server.wait_for(lambda: bool(w.conflicts))
        await w.echoes("/after")
        assert len(w.conflicts) == 1
        assert "409" in w.conflicts[0]


async def test_an_update_the_library_cannot_read_is_skipped_without_losing_its_neighbours() -> None:
    async with world(up=False) as w:
        w.server.say(OWNER, "/one")
        poison = w.server.deliver("message", {"message_id": "no date, no chat"})
        w.server.say(OWNER, "/two")
        await w.server.come_back()
        await w.server.wait_for_text(OWNER, "echo /two")
        await w.server.wait_for(lambda: w.server.updates.waiting == 0)  # acknowledged: it never comes back
        assert w.dispatch.texts() == ["/one", "/two"]
        assert w.unreadable == [poison]


async def test_no_token_is_logged_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with world(up=False) as w:
        token = w.server.token
        w.server.fail("getMe", 401)
        await w.server.come_back()
        await w.echoes("/status")
        w.server.fail("getUpdates", 404)
        w.server.drop_connection("sendMessage")
        await w.echoes("/again")
        await w.server.wait_for(lambda: w.server.count("getMe") == 3)
        await w.echoes("/more")
    assert caplog.records
    assert token.split(":")[1] not in "\n".join(f"{r.getMessage()} {r.exc_text}" for r in caplog.records)


async def test_a_stop_during_a_slow_command_gives_it_a_moment_and_then_leaves() -> None:
    pace = replace(QUICK, stop_answers=0.1)
    async with world(pace=pace) as w:
        w.dispatch.slow["/forever"] = asyncio.Event().wait
        w.server.say(OWNER, "/forever")
        await w.server.wait_for(lambda: w.dispatch.texts() == ["/forever"])
    assert w.running.done()
    assert len(asyncio.all_tasks()) == 1  # nothing is left behind


async def test_a_stop_lets_an_answer_under_way_out() -> None:
    async with world() as w:
        w.dispatch.slow["/status"] = lambda: asyncio.sleep(0.3)  # a command that takes its time
        w.server.say(OWNER, "/status")
        await w.server.wait_for(lambda: w.dispatch.texts() == ["/status"])
        w.stop.set()
        await w.running
        assert w.server.texts(OWNER) == ["echo /status"]


@pytest.mark.parametrize("state", ["hanging", "down", "refusing", "flooded"])
async def test_a_stop_is_clean_whatever_telegram_does(state: str) -> None:
    async with world(pace=replace(QUICK, http=30, stop_poll=0.2, stop_rest=0.2)) as w:
        await w.connected()
        if state == "hanging":
            w.server.hang("*", times=None)
        elif state == "flooded":  # the library's poll task sleeps through its pause
            w.server.fail("getUpdates", 429, times=None, retry_after=30)
            polls = w.server.count("getUpdates")
            w.server.say(STRANGER, "ends the open poll")
            await w.server.wait_for(lambda: w.server.count("getUpdates") > polls)
            await w.service.channel.send(f"tg:{OWNER}", say("one round trip later"), silent=False)
        elif state == "refusing":
            w.server.fail("*", 500, times=None)
        else:
            await w.server.go_down()
        w.stop.set()
        await w.running
    assert len(asyncio.all_tasks()) == 1


async def test_acknowledged_updates_do_not_come_again_after_a_clean_restart() -> None:
    async with world() as w:
        await w.echoes("/first")
        await w.end()
        w.start()
        await w.echoes("/second")
    assert w.dispatch.texts(Kind.MESSAGE) == ["/first", "/second"]


async def test_the_service_listens_only_to_what_it_was_built_for() -> None:
    async with world() as w:
        await w.connected()
        asked = w.server.called("getUpdates")[0].params.parsed("allowed_updates")
        assert asked == ["message", "edited_message", "callback_query"]
        assert isinstance(w.server, BotApiServer)
