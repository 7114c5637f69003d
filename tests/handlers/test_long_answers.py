"""Answers that go on: one message that is edited while the work proceeds, and the outcome in its place."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from chat_room import Room, nonce, seen
from telegram_world import OWNER, world
from test_chat_console import console
from test_telegram_chat import png

from handlers.message import Button, Line, Outgoing, Reply, say
from handlers.registry import Call, Danger, Registry, command
from trader.domain.errors import InvalidInput
from trader.service.port import DeskPort

CANCEL = ((Button("Cancel", "/work stop"),),)


def registry(ends: str) -> Registry:
    async def course() -> AsyncIterator[Reply]:
        yield Reply(say("50 %").blocks, CANCEL)
        if ends == "refused":
            raise InvalidInput("No candles of X.")
        if ends == "broken":
            raise RuntimeError("a secret detail")
        yield say("finished")

    @command("work", help="Work for long", danger=Danger.READ)
    async def work(desk: DeskPort, call: Call) -> Reply:
        return say("stopped") if call.args else Reply(say("begun").blocks, CANCEL, course=course)

    return Registry({"Work": [work]})


@pytest.mark.parametrize(
    ("ends", "last"),
    [("well", "finished"), ("refused", "No candles of X."), ("broken", "That failed; the log")],
)
async def test_every_step_is_an_answer_of_its_own_and_a_fault_a_sentence(ends: str, last: str) -> None:
    room = Room(extra=registry(ends))
    first = await room.offered("/work")
    assert seen(first).startswith("begun")  # type: ignore[union-attr] # it is an answer
    assert first.course is not None
    steps = [step async for step in first.course]
    shown = [seen(step) or "" for step in steps]
    assert shown[0].startswith("50 %")
    assert shown[-1].startswith(last)
    assert "secret" not in shown[-1]
    assert nonce(steps[0], "Cancel") != nonce(first, "Cancel")
    assert await room.pressed(steps[0], "Cancel") == "stopped"


async def test_a_script_prints_what_it_came_to(tmp_path: Path) -> None:
    path, out = tmp_path / "script", io.StringIO()
    path.write_text("/work\n")
    with path.open() as stdin:
        await asyncio.wait_for(console(Room(extra=registry("well")), stdin, out).run(), 10)
    assert out.getvalue() == "> /work\nbegun\n1) Cancel\n\nfinished\n\n"


async def test_telegram_edits_one_message_and_puts_a_picture_below_it() -> None:
    go_on = asyncio.Event()

    async def course() -> AsyncIterator[Outgoing]:
        await go_on.wait()
        yield Outgoing(Reply(say("50 %").blocks, CANCEL), [["aaaaaaaa"]])
        yield Outgoing(say("done in 2 s"))
        yield Outgoing(Reply([Line("the result")], picture=png()))

    async with world() as w:
        w.dispatch.answers["/work"] = Outgoing(say("begun"), course=course())
        w.server.say(OWNER, "/work")
        begun = await w.server.wait_for_text(OWNER, "begun")
        go_on.set()
        await w.server.wait_for(lambda: len(w.server.replies(OWNER)) == 2)
        edited, result = w.server.replies(OWNER)
    assert edited.message_id == begun.message_id
    assert (edited.text, edited.keyboard) == ("done in 2 s", ())
    assert result.text == "the result"
