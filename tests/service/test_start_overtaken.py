"""Commands sent close behind a start that is still being checked: the later word counts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from handlers.commands import build_registry
from handlers.dispatch import Dispatcher
from handlers.house import House as ChatHouse
from handlers.message import Incoming, Kind
from handlers.policy import Policy
from handlers.render.terminal import plain
from tests.service.whole_house import Running, running


@dataclass
class Chat:
    """The owner's, in the terminal, with as many commands at once as one likes."""

    desk: Running
    typed: int = 0

    def __post_init__(self) -> None:
        self.dispatcher = Dispatcher(
            build_registry(ChatHouse(lambda until: None, lambda: datetime.now(UTC))),
            self.desk.house.front,
            Policy(frozenset(), frozenset(), terminal=True),
            booted_at=datetime.now(UTC) - timedelta(minutes=1),
            tell_owner=self.desk.house.front.tell,
        )

    async def types(self, text: str) -> str:
        self.typed += 1
        now = datetime.now(UTC)
        incoming = Incoming(
            source_id=f"typed:{self.typed}", kind=Kind.MESSAGE, user_id=0, user_name="Owner", chat_id=0,
            chat_type="terminal", text=text, sent_at=now, received_at=now,
        )  # fmt: skip
        answer = await self.dispatcher(incoming)
        return "" if answer is None else plain(answer.reply)

    async def being_checked(self, text: str) -> asyncio.Task[str]:
        """A start that is typed, and has come as far as its check."""
        start = asyncio.create_task(self.types(text))
        async with asyncio.timeout(10):
            while not self.desk.house.front.starting():  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0)
        return start


def statuses(desk: Running) -> dict[str, str]:
    return {i.instance.name: i.instance.status.value for i in desk.house.front.view().instances}


@pytest.mark.parametrize(
    ("line", "by"),
    [
        ("/stop_strategy breakout close", "/stop_strategy"),
        ("/stop_strategy Breakout keep", "/stop_strategy"),
        ("/stop_strategy breakout", "/stop_strategy"),
        ("/pause breakout", "/pause"),
    ],
)
async def test_what_is_sent_behind_a_start_takes_it_back_at_once(line: str, by: str) -> None:
    async with running() as desk:
        chat = Chat(desk)
        async with desk.house.front._proving._one:  # its check takes as long as this
            start = await chat.being_checked("/start_strategy breakout RELIANCE 1m")
            assert await chat.types(line) == "breakout was still being checked: it is not started."
            assert not start.done()
        assert await start == f"breakout is not started: {by} came while it was being checked."
        assert statuses(desk) == {}
        assert "Started breakout" in await chat.types("/start_strategy breakout RELIANCE 1m")
        assert "is not started" not in await chat.types(line)


async def test_a_start_being_checked_can_be_chosen_among_those_to_stop() -> None:
    async with running() as desk:
        chat = Chat(desk)
        async with desk.house.front._proving._one:
            start = await chat.being_checked("/start_strategy breakout RELIANCE 1m")
            assert "Stop which one?" in await chat.types("/stop_strategy")
        assert "Started breakout" in await start


async def test_a_stop_means_the_one_that_runs_and_not_a_second_start_of_it() -> None:
    async with running() as desk:
        chat = Chat(desk)
        await chat.types("/start_strategy breakout RELIANCE 1m")
        async with desk.house.front._proving._one:
            start = await chat.being_checked("/start_strategy breakout TCS 1m channel=30")
            assert "Stopped breakout." in await chat.types("/stop_strategy breakout close")
        assert "Started breakout" in await start


async def test_the_brakes_wait_for_no_check() -> None:
    async with running() as desk:
        chat = Chat(desk)
        async with desk.house.front._proving._one:
            start = await chat.being_checked("/start_strategy breakout RELIANCE 1m")
            assert "REDUCING" in await chat.types("/pause")
            assert "HALTED" in await chat.types("/kill")
            assert not start.done()
        assert "it will not enter before /resume" in await start


async def test_a_start_and_its_stop_of_the_same_moment_leave_nothing_running() -> None:
    async with running() as desk:
        chat = Chat(desk)
        sent = ("/start_strategy breakout RELIANCE 1m", "/stop_strategy breakout close")
        started, stopped = await asyncio.gather(*map(chat.types, sent))
        assert "breakout" in started
        assert "breakout" in stopped
        assert set(statuses(desk).values()) <= {"STOPPED"}
