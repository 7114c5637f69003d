"""The sandbox itself: what it must get right for the tests that lean on it to mean anything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from sandbox.botapi import BotApiServer
from sandbox.botapi.errors import ApiError
from sandbox.botapi.markup import parse_html

ASHA = 4711
Api = Callable[..., Awaitable[dict[str, Any]]]


class Wall:
    """A clock the test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest_asyncio.fixture
async def server(wall: Wall) -> AsyncIterator[BotApiServer]:
    async with BotApiServer(now=wall, conflict_delay=0.05) as server:
        yield server


@pytest_asyncio.fixture
async def api(server: BotApiServer) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session:

        async def call(method: str, **params: Any) -> dict[str, Any]:
            url = f"{server.base_url}/bot{server.token}/{method}"
            async with session.post(url, json=params) as response:
                body: dict[str, Any] = await response.json()
                assert response.status == body.get("error_code", 200)
                return body

        yield call


def ids(body: dict[str, Any]) -> list[int]:
    return [update["update_id"] for update in body["result"]]


async def test_an_offset_deletes_what_is_older_and_nothing_else_does(server: BotApiServer, api: Api) -> None:
    first, second, third = (server.say(ASHA, text) for text in ("/a", "/b", "/c"))
    assert ids(await api("getUpdates", limit=2)) == [first, second]
    assert ids(await api("getUpdates")) == [first, second, third]
    assert ids(await api("getUpdates", offset=second)) == [second, third]
    assert ids(await api("getUpdates", offset=0)) == [second, third]
    assert ids(await api("getUpdates", offset=-1)) == [third]
    assert ids(await api("getUpdates", offset=third + 1)) == []


async def test_a_long_poll_ends_with_the_first_update(server: BotApiServer, api: Api) -> None:
    poll = asyncio.create_task(api("getUpdates", timeout=30))
    await server.wait_for(lambda: server.updates.polled)
    update_id = server.say(ASHA, "/a")
    assert ids(await poll) == [update_id]


async def test_a_second_poller_throws_the_first_one_out(server: BotApiServer, api: Api) -> None:
    first = asyncio.create_task(api("getUpdates", timeout=30))
    await server.wait_for(lambda: server.updates.polled)
    assert (await api("getUpdates"))["ok"] is True
    assert (await first)["error_code"] == 409


async def test_only_wanted_kinds_are_kept_once_the_bot_has_said_which(server: BotApiServer, api: Api) -> None:
    await api("getUpdates", allowed_updates=["message"])
    kept = server.say(ASHA, "/a")
    server.edit(server.last(ASHA).message_id, "/b")
    assert ids(await api("getUpdates")) == [kept]


async def test_presses_are_forgotten_after_150_seconds_and_messages_after_a_day(
    server: BotApiServer, api: Api, wall: Wall
) -> None:
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "k:1"}]]}
    sent = await api("sendMessage", chat_id=ASHA, text="Sure?", reply_markup=keyboard)
    said = server.say(ASHA, "/a")
    server.press(sent["result"]["message_id"], "Yes")
    wall.at += timedelta(seconds=151)
    assert ids(await api("getUpdates")) == [said]
    wall.at += timedelta(days=1)
    assert ids(await api("getUpdates")) == []


async def test_a_press_is_answered_once_and_only_in_time(server: BotApiServer, api: Api, wall: Wall) -> None:
    keyboard = json.dumps({"inline_keyboard": [[{"text": "Yes", "callback_data": "k:1"}]]})
    sent = await api("sendMessage", chat_id=ASHA, text="Sure?", reply_markup=keyboard)
    for _ in range(2):
        server.press(sent["result"]["message_id"], "Yes")
    prompt, late = ((one["callback_query"]["id"]) for one in (await api("getUpdates"))["result"])
    assert (await api("answerCallbackQuery", callback_query_id=prompt))["ok"] is True
    again = await api("answerCallbackQuery", callback_query_id=prompt)
    assert "query is too old" in again["description"]
    wall.at += timedelta(seconds=151)
    assert "query is too old" in (await api("answerCallbackQuery", callback_query_id=late))["description"]


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        ({"text": "x" * 4097}, "message is too long"),
        ({"text": " \n"}, "message text is empty"),
        ({"text": "a <b>", "parse_mode": "HTML"}, "can't parse entities"),
        (
            {"text": "a", "reply_markup": {"inline_keyboard": [[{"text": "b", "callback_data": "x" * 65}]]}},
            "BUTTON_DATA_INVALID",
        ),
    ],
)
async def test_what_telegram_would_refuse_is_refused(api: Api, params: dict[str, Any], refusal: str) -> None:
    assert refusal in (await api("sendMessage", chat_id=ASHA, **params))["description"]


async def test_an_edit_to_the_same_is_refused(server: BotApiServer, api: Api) -> None:
    sent = (await api("sendMessage", chat_id=ASHA, text="same"))["result"]["message_id"]
    body = await api("editMessageText", chat_id=ASHA, message_id=sent, text="same")
    assert "message is not modified" in body["description"]
    body = await api("editMessageText", chat_id=ASHA, message_id=sent, text="other")
    assert (body["ok"], server.texts(ASHA)) == (True, ["other"])


async def test_after_an_outage_the_same_address_answers(server: BotApiServer, api: Api) -> None:
    assert (await api("getMe"))["ok"] is True
    async with server.outage():
        with pytest.raises(aiohttp.ClientConnectionError):
            await api("getMe")
    assert (await api("getMe"))["ok"] is True


@pytest.mark.parametrize(
    ("source", "text", "kinds"),
    [
        ("<b>P&amp;L</b> &lt;5", "P&L <5", ["bold"]),
        ("<pre>a\nb</pre>", "a\nb", ["pre"]),
        ("<b><i>x</i></b> AT&T", "x AT&T", ["bold", "italic"]),
        ("<b></b>x", "x", []),
    ],
)
def test_html_is_read_as_telegram_reads_it(source: str, text: str, kinds: list[str]) -> None:
    shown, entities = parse_html(source)
    assert (shown, sorted(entity["type"] for entity in entities)) == (text, kinds)


@pytest.mark.parametrize(
    "source", ["a < b", "<b>x", "x</b>", "<b><i>x</b></i>", "<table>x</table>", "<", "<b"]
)
def test_malformed_html_is_refused(source: str) -> None:
    with pytest.raises(ApiError, match="can't parse entities"):
        parse_html(source)
