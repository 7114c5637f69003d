"""The terminal: scripts through a pipe, people at a prompt."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from chat_room import WALL, Room, seen
from fake_account import LANDED, LINK, TOKEN, a_lock
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from handlers.banner import banner
from handlers.channel import ChannelDown
from handlers.completion import history, words_of
from handlers.console import Console
from handlers.lines import lines_of
from handlers.message import Button, Line, Reply, say
from handlers.render.terminal import rich_text
from handlers.screen import ConsoleChannel, PlainScreen, RichScreen, screen_of
from trader.desk.commands import Kill, Pause, StopStrategy
from trader.domain.records import DeskMode


def console(room: Room, stdin: io.TextIOBase | None, out: io.StringIO) -> Console:
    return Console(
        room.dispatcher,
        PlainScreen(out),
        now=lambda: WALL,
        stdin=stdin,
        run_id="r1",  # type: ignore[arg-type]  # TextIOBase
    )


async def scripted(room: Room, script: str, tmp_path: Path) -> str:
    path, out = tmp_path / "script", io.StringIO()
    path.write_text(script)
    with path.open() as stdin:
        await asyncio.wait_for(console(room, stdin, out).run(), 10)
    return out.getvalue()


async def test_a_script_is_echoed_and_answered_in_order(tmp_path: Path) -> None:
    room = Room()
    shown = await scripted(room, "# a comment\n\n/pause\n  /kill  \n/resume", tmp_path)
    assert shown == (
        "> /pause\nThe desk enters nothing more.\n\n"
        "> /kill\nHALTED at 10:15:02.\nCancelling 1 order, closing 2 positions.\n\n"
        "> /resume\nPAPER · the desk is HALTED\nWhy: Killed by the owner\nSince: 10:15:02, by owner 4711\n"
        "Resume, and let strategies enter again?\n1) Resume  2) Leave it\n\n"
    )
    assert [source for _, source, _ in room.desk.asked] == ["term:r1:1", "term:r1:2"]


async def test_a_number_presses_the_last_replys_button(tmp_path: Path) -> None:
    room = Room()
    shown = await scripted(room, "/stop_strategy\n1\n0\n2\n2\n", tmp_path)
    assert [c for c, _, _ in room.desk.asked] == [StopStrategy("ema_crossover", close=False)]
    assert shown.count("There is no choice") == 2  # nought, and then an answer that offered nothing


async def test_every_button_of_several_rows_has_its_number(tmp_path: Path) -> None:
    room = Room()
    await scripted(room, "/start_strategy ema_crossover\n5\n3\n1", tmp_path)
    assert "RELIANCE" in str(room.desk.asked[0][0])


async def test_quit_ends_a_script(tmp_path: Path) -> None:
    room = Room()
    assert (await scripted(room, "/quit\n/kill\n", tmp_path)) == "> /quit\n"
    assert room.desk.asked == []


@pytest.mark.parametrize("word", ["/quit", "/QUIT.", "/Exit", "/quit@MunimBot"])
async def test_quit_is_read_like_any_command(word: str, tmp_path: Path) -> None:
    assert await scripted(Room(), f"{word}\n/pause\n", tmp_path) == f"> {word}\n"


@pytest.mark.parametrize(("typed", "word"), [("/quit now", "now"), ("/exit RELIANCE", "RELIANCE")])
async def test_quit_with_words_behind_it_ends_nothing_and_says_how(
    typed: str, word: str, tmp_path: Path
) -> None:
    room = Room()
    shown = await scripted(room, f"{typed}\n/pause\n", tmp_path)
    assert f"I don't know what '{word}' means here. Usage: /quit\n" in shown
    assert [c for c, _, _ in room.desk.asked] == [Pause(None)]


async def test_help_in_the_terminal_tells_of_quit_and_telegram_does_not_know_it() -> None:
    room = Room()
    for text in ("/help", "/help quit", "/help exit"):
        assert "/quit" in (seen(await room.dispatcher(room.from_terminal(text))) or "")
    assert await room.typed("/quit") == "/quit works in the terminal only."


async def test_a_choice_may_be_typed_as_it_is_shown(tmp_path: Path) -> None:
    room = Room()
    await scripted(room, "/stop_strategy ema_crossover\n1)\n", tmp_path)
    assert [c for c, _, _ in room.desk.asked] == [StopStrategy("ema_crossover", close=True)]


async def test_piped_output_has_no_escape_codes_and_is_utf8(tmp_path: Path) -> None:
    shown = await scripted(Room(), "/status\n/risk\n/help\n/\x1b[31mnope\n", tmp_path)
    answers = [line for line in shown.splitlines() if not line.startswith(">")]
    assert not any("\x1b" in line for line in answers)
    assert "₹" in shown


@pytest.mark.parametrize("script", ["", "\n\n", "# only a comment"])
async def test_a_script_without_commands_just_ends(script: str, tmp_path: Path) -> None:
    assert await scripted(Room(), script, tmp_path) == ""


async def test_no_input_at_all_ends_at_once() -> None:
    with os.fdopen(os.open(os.devnull, os.O_RDONLY)) as nothing:
        await asyncio.wait_for(console(Room(), nothing, io.StringIO()).run(), 10)


async def test_a_pipe_is_answered_while_it_is_still_open() -> None:
    room, out = Room(), io.StringIO()
    read, write = os.pipe()
    with os.fdopen(read) as stdin:
        task = asyncio.create_task(console(room, stdin, out).run())
        os.write(write, b"/pau")
        os.write(write, b"se\n")
        await until(lambda: "nothing more" in out.getvalue())
        assert not task.done()
        os.write(write, b"/kill")  # no newline behind the last one
        os.close(write)
        await asyncio.wait_for(task, 10)
    assert [c for c, _, _ in room.desk.asked] == [Pause(None), Kill()]


async def test_waiting_for_input_leaves_with_the_program() -> None:
    read, write = os.pipe()
    with os.fdopen(read) as stdin:
        task = asyncio.create_task(console(Room(), stdin, io.StringIO()).run())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    os.close(write)


async def test_a_reader_that_went_away_ends_the_console(tmp_path: Path) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    path = tmp_path / "script"
    path.write_text("/kill\n")
    with path.open() as stdin:
        await asyncio.wait_for(console(Room(), stdin, Gone()).run(), 10)


async def test_lines_survive_odd_bytes_and_odd_ends() -> None:
    read, write = os.pipe()
    os.write(write, "/quote ₹".encode()[:-1])
    os.write(write, b"\r\n\xff\xfe\n" + b"x" * 200 + b"\nlast")
    os.close(write)
    found = [line async for line in lines_of(read)]
    os.close(read)
    assert found == ["/quote \ufffd", "\ufffd\ufffd", "x" * 200, "last"]


# -- alerts -------------------------------------------------------------------------------------------


async def test_alerts_are_told_from_answers() -> None:
    out = io.StringIO()
    channel = ConsoleChannel(PlainScreen(out))
    assert channel.recipients == ("terminal",)
    alert = Reply((Line("HALTED", bold=True), Line("Daily loss")), ((Button("Resume", "/resume"),),))
    await channel.send("terminal", alert, silent=False)
    assert out.getvalue() == "┌ HALTED\n│ Daily loss\n│ Type /resume\n"


async def test_an_alert_into_a_closed_terminal_is_kept_for_later() -> None:
    out = io.StringIO()
    out.close()
    with pytest.raises(ChannelDown):
        await ConsoleChannel(PlainScreen(out)).send("terminal", say("FLAT"), silent=False)


def test_colours_are_for_terminals_only() -> None:
    assert isinstance(screen_of(io.StringIO(), io.StringIO()), PlainScreen)
    assert isinstance(screen_of(None, None), PlainScreen)
    out = io.StringIO()
    RichScreen(out).show(Reply((Line("[red]x[/]", bold=True),)))
    assert "\x1b[1m[red]x[/]" in out.getvalue()


# -- a person -----------------------------------------------------------------------------------------


async def converse(room: Room, keys: Callable[[PipeInput, io.StringIO], object]) -> str:
    out = io.StringIO()
    with create_pipe_input() as typed, create_app_session(input=typed, output=DummyOutput()):
        talk = Console(
            room.dispatcher, RichScreen(out), now=lambda: WALL, words=words_of(room.registry, room.desk)
        )
        task = asyncio.create_task(talk.run())
        result = keys(typed, out)
        if asyncio.iscoroutine(result):
            await result
        await asyncio.wait_for(task, 10)
    return out.getvalue()


@pytest.mark.parametrize("end", ["\x04", "/quit\r", "/QUIT\r", "\x03"])
async def test_a_person_types_presses_and_leaves(end: str) -> None:
    room = Room()

    async def keys(typed: PipeInput, out: io.StringIO) -> None:
        typed.send_text("/stop_strategy ema_crossover\r")
        await until(lambda: "Close positions" in out.getvalue())
        typed.send_text("\r1\r")
        await until(lambda: "being closed" in out.getvalue())
        typed.send_text(end)

    await converse(room, keys)
    assert [c for c, _, _ in room.desk.asked] == [StopStrategy("ema_crossover", close=True)]


async def test_kill_can_be_typed_while_a_command_takes_its_time() -> None:
    room = Room()
    room.desk.hold = asyncio.Event()

    async def keys(typed: PipeInput, out: io.StringIO) -> None:
        typed.send_text("/pause\r")
        await asyncio.wait_for(room.desk.held.wait(), 10)
        room.desk.hold = None
        typed.send_text("/kill\r")
        await until(lambda: "HALTED" in out.getvalue())
        typed.send_text("\x04")

    held = room.desk.hold
    task = asyncio.create_task(converse(room, keys))
    await until(lambda: len(room.desk.asked) == 1)
    held.set()
    await asyncio.wait_for(task, 10)
    assert {type(c) for c, _, _ in room.desk.asked} == {Kill, Pause}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("/sta", ["/status", "/start_strategy", "/start"]),
        ("/start_strategy e", ["ema_crossover"]),
        ("/run ", ["ema_crossover", "rsi_reversal"]),
        ("/stop_strategy R", ["rsi_reversal"]),
        ("/quote TCS re", ["RELIANCE"]),
        ("/start_strategy ema_crossover TCS,re", ["TCS,RELIANCE"]),
        ("/chain NIFTY26DECF", ["NIFTY26DECFUT"]),
        ("/charges zen", ["ZENTEC"]),
        ("/calendar ", []),
        ("/reopened ", []),
        ("/help kil", ["kill"]),
        ("/status x", []),
        ("/adopt r", ["RELIANCE"]),
        ("/locks ", ["RELIANCE"]),
        ("/login ", []),
        ("/live ", []),
        ("hello ", []),
    ],
)
def test_completion_offers_what_fits(text: str, words: list[str]) -> None:
    room = Room()
    room.desk.the_view = replace(room.desk.the_view, locks=(a_lock(),))
    assert sorted(word for word, _ in words_of(room.registry, room.desk)(text)) == sorted(words)


@pytest.mark.parametrize("text", [f"/login {TOKEN}", f"/login {LANDED}", LANDED, TOKEN, "/live 492039"])
async def test_a_script_does_not_show_the_secrets_it_types(text: str, tmp_path: Path) -> None:
    room = Room()
    room.desk.goes_live()
    shown = await scripted(room, f"/status\n{text}\n", tmp_path)
    assert TOKEN not in shown
    assert "492039" not in shown
    assert "> /status\n" in shown
    assert "(hidden)\n" in shown
    assert "Logged in" in shown or "armed" in shown  # what was typed was used all the same


async def test_a_link_is_shown_to_be_copied(tmp_path: Path) -> None:
    room = Room()
    room.desk.goes_live()
    assert f"Log in at the broker: {LINK}\n" in await scripted(room, "/login\n", tmp_path)
    assert LINK in rich_text((await room.offered("/login")).reply).plain


def test_the_arrow_keys_bring_no_secret_back() -> None:
    remembered = history()
    secrets = (f"/login {TOKEN}", LANDED, "/live 492 039", "/lgoin x", "492039")
    for text in ("/status", *secrets, "/login", "/live"):
        remembered.append_string(text)
    assert remembered.get_strings() == ["/status", "/login", "/live"]
    assert list(remembered.load_history_strings()) == ["/live", "/login", "/status"]


async def test_a_prompt_forgets_the_token_it_was_given() -> None:
    room = Room()
    room.desk.goes_live()
    out = io.StringIO()
    with create_pipe_input() as typed, create_app_session(input=typed, output=DummyOutput()):
        terminal = Console(room.dispatcher, RichScreen(out), now=lambda: WALL, run_id="r1")
        task = asyncio.create_task(terminal.run())
        typed.send_text(f"/status\r/login {TOKEN}\r")
        await until(lambda: len(room.desk.account().pasted) == 1)
        typed.send_text("\x1b[A\r")  # the arrow up, and what it brings back
        await until(lambda: sum(e.text == "/status" and bool(e.outcome) for e in room.desk.audits) == 2)
        typed.send_text("/quit\r")
        await asyncio.wait_for(task, 10)
    assert room.desk.account().pasted == [TOKEN]
    assert TOKEN not in out.getvalue()


# -- the banner ---------------------------------------------------------------------------------------


def test_the_banner_says_mode_market_clock_and_where_to_begin() -> None:
    room = Room()
    shown = "\n".join(b.text for b in banner(room.desk.about(), room.desk.view()).blocks)
    for part in ("PAPER", "ACTIVE", "simulated, open until 15:15, F&O 15:40", "10:15:02 IST ×60"):
        assert part in shown
    tried = [part for part in ("/start_strategy", "/status", "/kill") if part in shown]
    assert all(room.registry.find(name) for name in tried)
    assert len(tried) == 3


def test_the_banner_of_a_halted_desk_says_why() -> None:
    room = Room()
    room.desk.halt("unclean_exit", "The last run did not end properly")
    shown = "\n".join(b.text for b in banner(room.desk.about(), room.desk.view()).blocks)
    assert DeskMode.HALTED in shown
    assert "did not end properly" in shown


async def until(met: Callable[[], bool]) -> None:
    """Let the loop run until ``met``; the limit is there to fail, not to measure."""
    async with asyncio.timeout(10):
        while not met():  # noqa: ASYNC110 - what is awaited is text in a buffer; there is no event to wait on
            await asyncio.sleep(0.005)
