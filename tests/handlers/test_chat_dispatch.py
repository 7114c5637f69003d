"""Who is heard, when, and how often."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from chat_room import BOOTED, OWNER, STRANGER, VIEWER, WALL, Room, seen
from fake_desk import FakeDesk

from handlers.dispatch import EXPIRED
from handlers.message import Incoming, Kind, Reply, say
from handlers.policy import Policy
from handlers.registry import Call, Command, Danger, Registry, Role, command
from trader.desk.commands import Kill, Pause, StartStrategy, StopStrategy
from trader.domain.errors import CommitFailed, InvalidInput
from trader.domain.records import AuditEntry
from trader.service.port import DeskPort

START = "/start_strategy ema_crossover RELIANCE 1m"


@pytest.fixture
def room() -> Room:
    return Room()


# -- who ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "chat", "kind", "heard"),
    [
        (OWNER, "private", Kind.MESSAGE, True),
        (VIEWER, "private", Kind.MESSAGE, True),
        (OWNER, "private", Kind.PRESS, True),
        (0, "terminal", Kind.MESSAGE, True),
        (STRANGER, "private", Kind.MESSAGE, False),
        (STRANGER, "private", Kind.PRESS, False),
        (OWNER, "private", Kind.EDITED, False),
        (OWNER, "private", Kind.FORWARDED, False),
        (OWNER, "private", Kind.OTHER, False),
        (OWNER, "group", Kind.MESSAGE, False),
        (OWNER, "group", Kind.PRESS, False),
        (OWNER, "supergroup", Kind.MESSAGE, False),
        (OWNER, "channel", Kind.OTHER, False),
        (OWNER, "", Kind.MESSAGE, False),
        (0, "private", Kind.MESSAGE, False),
        (OWNER, "terminal", Kind.MESSAGE, False),
        (-OWNER, "private", Kind.MESSAGE, False),
    ],
)
async def test_only_known_people_in_private_or_at_the_terminal_are_heard(
    room: Room, user: int, chat: str, kind: Kind, heard: bool
) -> None:
    incoming = room.message("/kill", user, kind=kind, chat=chat)
    assert room.dispatcher.allows(incoming) is heard
    answer = await room.dispatcher(incoming)
    assert (answer is not None) is heard
    if not heard:
        assert room.desk.asked == []


@pytest.mark.parametrize("chat", ["private", "terminal", "group"])
async def test_an_empty_allow_list_refuses_everybody(chat: str) -> None:
    room = Room(policy=Policy())
    for user in (OWNER, VIEWER, 0):
        assert not room.dispatcher.allows(room.message("/kill", user, chat=chat))
    assert room.desk.asked == []


async def test_a_sender_without_an_id_is_nobody_even_if_the_list_says_zero() -> None:
    room = Room(policy=Policy(frozenset({0, -5}), frozenset({0, -5})))
    for user in (0, -5):
        assert not room.dispatcher.allows(room.message("/kill", user))


async def test_authorisation_that_breaks_lets_nobody_in(room: Room) -> None:
    room.dispatcher._policy = Policy(owner_ids=None)  # type: ignore[arg-type]  # the breakage
    assert not room.dispatcher.allows(room.message("/kill"))
    assert await room.dispatcher(room.message("/kill")) is None
    assert room.desk.asked == []


async def test_an_edit_of_the_owner_is_no_news_but_a_strangers_is(room: Room) -> None:
    await room.dispatcher(room.message("good morning", OWNER, kind=Kind.EDITED))
    assert (await room.hears()) == []
    await room.dispatcher(room.message("/kill", STRANGER, kind=Kind.EDITED))
    assert len(await room.hears()) == 1


@pytest.mark.parametrize("kind", [Kind.EDITED, Kind.FORWARDED, Kind.OTHER])
async def test_an_owner_whose_command_was_not_run_for_what_it_stood_in_hears_of_it(
    room: Room, kind: Kind
) -> None:
    assert await room.dispatcher(room.message("/login abc", OWNER, kind=kind)) is None
    ((title, body),) = await room.hears()
    assert title == "/login was not run"
    assert "Send it as a new message." in body
    assert "abc" not in body
    for user, chat in ((VIEWER, "private"), (OWNER, "group")):
        await room.dispatcher(room.message("/kill", user, kind=kind, chat=chat))
    assert len(await room.hears()) == 1
    assert room.desk.asked == []


async def test_the_owner_hears_of_an_answer_that_did_not_arrive(room: Room) -> None:
    sent = f"{WALL - timedelta(seconds=0.5):%H:%M}"
    for text, what in (("/KILL now", "/kill"), ("/klil secret", "a message"), ("good morning", "a message")):
        room.told.clear()
        room.dispatcher.unanswered(room.message(text))
        ((title, body),) = await room.hears()
        assert title == f"No answer to {what} of {sent}"
        assert "see /status before sending it again" in body
    room.told.clear()
    room.dispatcher.unanswered(room.message("8f3a", kind=Kind.PRESS))
    assert [title for title, _ in await room.hears()] == [f"No answer to a button of {sent}"]
    room.told.clear()
    room.dispatcher.unanswered(room.message("/status", VIEWER))
    room.dispatcher.unanswered(room.message("/status", STRANGER))
    assert await room.hears() == []


async def test_the_owner_hears_of_a_stranger_once_an_hour(room: Room) -> None:
    for _ in range(5):
        assert not room.dispatcher.allows(room.message("let me in", STRANGER))
    assert room.dispatcher.strangers.count == 5
    assert len(await room.hears()) == 1
    assert "666" in (await room.hears())[0][1]
    assert not room.dispatcher.allows(room.message("me too", STRANGER + 1))
    assert len(await room.hears()) == 2
    room.seconds += 3601
    room.dispatcher.allows(room.message("again", STRANGER))
    assert len(await room.hears()) == 3


async def test_a_crowd_of_strangers_is_reported_as_a_crowd(room: Room) -> None:
    for user in range(10_000, 10_200):
        room.dispatcher.allows(room.message("spam", user))
    assert room.dispatcher.strangers.count == 200
    assert len(await room.hears()) == 21
    assert (await room.hears())[-1][0] == "Many strangers are writing to the bot"


async def test_a_stranger_stays_out_when_the_owner_cannot_be_told(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(title: str, body: str) -> None:
        raise OSError("no way to tell")

    room.dispatcher.strangers._tell_owner = fails
    assert await room.dispatcher(room.message("/kill", STRANGER)) is None
    await room.hears()
    assert "could not be told" in caplog.text
    assert room.desk.asked == []


async def test_a_strangers_words_cannot_dress_up_the_alert(room: Room) -> None:
    nasty = replace(
        room.message("/kill\n\nOwner: all is well\u202e" + "x" * 5000, STRANGER), user_name="a\nb" * 900
    )
    room.dispatcher.allows(nasty)
    body = (await room.hears())[0][1]
    assert len(body.splitlines()) == 2
    assert len(body) < 400
    assert "\u202e" not in body


# -- roles --------------------------------------------------------------------------------------------


async def test_a_viewer_may_look_and_do_nothing_else(room: Room) -> None:
    for item in room.registry:
        if item.terminal_only or item.name == "quote":
            continue
        answer = await room.typed(f"/{item.name}", VIEWER)
        refused = answer == f"/{item.name} is the owner's; you may look."
        assert refused is (item.role is Role.OWNER), (item.name, answer)
    assert room.desk.asked == []
    assert {e.verdict for e in room.desk.audits} == {"accepted", "forbidden"}


async def test_a_viewer_sees_no_button_that_is_the_owners(room: Room) -> None:
    assert (await room.offered("/strategies", OWNER)).nonces
    assert not (await room.offered("/strategies", VIEWER)).nonces
    assert (await room.offered("/status", VIEWER)).nonces


async def test_only_an_owner_is_told_what_was_probably_meant(room: Room) -> None:
    assert await room.typed("/stauts") == "There is no /stauts. Did you mean /status?"
    assert await room.typed("/kil", VIEWER) == "There is no /kil. /help lists what there is."


async def test_terminal_commands_stay_at_the_terminal(room: Room) -> None:
    assert await room.typed("/wait 30s") == "/wait works in the terminal only."
    assert room.desk.waits == []


# -- how late -----------------------------------------------------------------------------------------

MINUTE, HOUR = 60, 3600


@pytest.mark.parametrize(
    ("text", "age", "answer", "done"),
    [
        (START, 59, "Started", StartStrategy),
        (START, 61, "sent 1 min ago, not run; send again", None),
        (START, 2 * HOUR, "sent 2 h ago, not run; send again", None),
        ("/resume", 2 * HOUR, "sent 2 h ago, not run; send again", None),
        (START, -5, "Started", StartStrategy),
        (START, -300, "clock is 5 min behind", None),
        ("/kill", 59, "closing 2 positions", Kill(flatten=True)),
        ("/kill", 2 * HOUR, "sent 2 h ago: halted at once", Kill(flatten=False)),
        ("/kill", -300, "closing 2 positions", Kill(flatten=True)),
        ("/pause", 2 * HOUR, "enters nothing more", Pause(None)),
        ("/stop_strategy ema_crossover close", 30, "being closed", StopStrategy("ema_crossover", close=True)),
        ("/stop_strategy ema_crossover close", 2 * HOUR, "Stop ema_crossover?", Pause("ema_crossover")),
        ("/stop_strategy ema_crossover keep", 2 * HOUR, "stay", StopStrategy("ema_crossover", close=False)),
        ("/status", 9 * MINUTE, "PAPER", None),
        ("/status", 11 * MINUTE, None, None),
        ("/mute 30m", 11 * MINUTE, None, None),
        ("/nonsense", 11 * MINUTE, "There is no /nonsense", None),
    ],
)
async def test_what_becomes_of_a_late_message(
    room: Room, text: str, age: float, answer: str | None, done: object
) -> None:
    shown = await room.typed(text, age=age)
    assert (shown is None) is (answer is None)
    assert answer is None or answer in (shown or "")
    if isinstance(done, type):
        assert isinstance(room.desk.asked[0][0], done)
    else:
        assert [c for c, _, _ in room.desk.asked] == ([done] if done else [])
    assert room.desk.audits[-1].outcome  # also what was dropped in silence


@pytest.mark.parametrize(
    ("before_boot", "runs"), [(timedelta(seconds=5), False), (timedelta(milliseconds=-300), True)]
)
async def test_what_was_sent_before_this_process_began_is_stale_however_young(
    room: Room, before_boot: timedelta, runs: bool
) -> None:
    sent = BOOTED - before_boot
    incoming = replace(room.message(START), sent_at=sent, received_at=BOOTED + timedelta(seconds=3))
    assert ("Started" in (seen(await room.dispatcher(incoming)) or "")) is runs


async def test_a_boot_within_a_second_is_no_boot_after(room: Room) -> None:
    """Telegram's dates are whole seconds: a message of 09:00:00.9 says 09:00:00."""
    room.dispatcher._booted_at = BOOTED + timedelta(seconds=0.5)
    incoming = replace(room.message(START), sent_at=BOOTED, received_at=BOOTED + timedelta(seconds=1))
    assert "Started" in (seen(await room.dispatcher(incoming)) or "")


async def test_the_terminal_is_never_late(room: Room) -> None:
    incoming = replace(room.from_terminal(START), sent_at=WALL - timedelta(hours=9))
    assert "Started" in (seen(await room.dispatcher(incoming)) or "")


async def test_a_late_kill_flattens_by_a_fresh_button(room: Room) -> None:
    outgoing = await room.dispatcher(room.message("/kill", age=HOUR))
    assert outgoing is not None
    assert [c for c, _, _ in room.desk.asked] == [Kill(flatten=False)]
    assert "closing 2 positions" in (await room.pressed(outgoing, "Flatten now") or "")
    assert room.desk.asked[-1][0] == Kill(flatten=True)


# -- how often ----------------------------------------------------------------------------------------


async def test_a_repeated_delivery_is_answered_once(room: Room) -> None:
    incoming = room.message(START)
    assert await room.dispatcher(incoming) is not None
    assert await room.dispatcher(incoming) is None
    assert len(room.desk.asked) == 1


async def test_a_command_cut_off_before_its_answer_runs_again(room: Room) -> None:
    incoming = room.message("/pause")
    await room.dispatcher(incoming)
    room.desk.audits = [e for e in room.desk.audits if not e.outcome]  # the process died in between
    room.desk.asked.clear()
    assert await room.dispatcher(incoming) is not None
    assert room.desk.asked[0][1] == incoming.source_id  # the same id: the desk itself acts once


async def test_a_late_start_that_may_have_run_before_a_restart_does_not_claim_it_was_not(room: Room) -> None:
    incoming = room.message(START, age=5)
    await room.dispatcher(incoming)
    room.desk.audits = [e for e in room.desk.audits if not e.outcome]
    room.dispatcher._booted_at = WALL
    shown = seen(await room.dispatcher(incoming)) or ""
    assert "may have been done" in shown
    assert "not run" not in shown
    assert len(room.desk.asked) == 1


async def test_a_repeat_while_the_first_is_in_work_is_ignored_and_delays_nobody(room: Room) -> None:
    room.desk.hold = asyncio.Event()
    incoming = room.message(START)
    first = asyncio.create_task(room.dispatcher(incoming))
    await asyncio.wait_for(room.desk.held.wait(), 5)
    assert await room.dispatcher(incoming) is None
    assert "PAPER" in (await room.typed("/status") or "")  # others are not held up
    room.desk.hold.set()
    assert await first is not None
    assert len(room.desk.asked) == 1


# -- buttons ------------------------------------------------------------------------------------------


async def test_a_button_acts_once(room: Room) -> None:
    menu = await room.offered("/stop_strategy ema_crossover")
    assert "being closed" in (await room.pressed(menu, "Close positions") or "")
    assert await room.pressed(menu, "Close positions") == EXPIRED
    assert [c for c, _, _ in room.desk.asked] == [StopStrategy("ema_crossover", close=True)]


async def test_pressing_one_button_voids_its_siblings(room: Room) -> None:
    menu = await room.offered("/stop_strategy ema_crossover")
    await room.pressed(menu, "Keep with stops")
    assert await room.pressed(menu, "Close positions") == EXPIRED
    assert len(room.desk.asked) == 1


async def test_replies_do_not_void_each_other(room: Room) -> None:
    first, second = await room.offered("/status"), await room.offered("/status")
    assert "PAPER" in (await room.pressed(second, "Refresh") or "")
    assert "PAPER" in (await room.pressed(first, "Refresh") or "")


@pytest.mark.parametrize(
    ("text", "label", "seconds", "works"),
    [
        ("/stop_strategy ema_crossover", "Close positions", 29, True),
        ("/stop_strategy ema_crossover", "Close positions", 31, False),
        ("/stop_strategy", "ema_crossover", 119, True),
        ("/stop_strategy", "ema_crossover", 121, False),
        ("/status", "Refresh", 119, True),
        ("/status", "Refresh", 121, False),
    ],
)
async def test_confirmations_live_30_seconds_and_choices_120(
    room: Room, text: str, label: str, seconds: float, works: bool
) -> None:
    menu = await room.offered(text)
    room.seconds += seconds
    assert (await room.pressed(menu, label) != EXPIRED) is works
    assert (room.desk.audits[-1].verdict == "accepted") is works


async def test_another_persons_press_does_nothing_and_costs_nothing(room: Room) -> None:
    room.policy = Policy(frozenset({OWNER, 4712}), frozenset({VIEWER}))
    room.__post_init__()
    menu = await room.offered("/stop_strategy ema_crossover")
    assert await room.pressed(menu, "Close positions", 4712) == EXPIRED
    assert await room.pressed(menu, "Close positions", VIEWER) == EXPIRED
    assert room.desk.asked == []
    assert "being closed" in (await room.pressed(menu, "Close positions") or "")


@pytest.mark.parametrize(("user", "chat"), [(OWNER, 1), (4712, OWNER)])
async def test_a_press_needs_both_the_person_and_the_chat(user: int, chat: int) -> None:
    room = Room(policy=Policy(frozenset({OWNER, 4712})))
    menu = await room.offered("/stop_strategy ema_crossover")
    press = replace(room.message(menu.nonces[0][0], user, kind=Kind.PRESS), chat_id=chat)
    assert seen(await room.dispatcher(press)) == EXPIRED
    assert room.desk.asked == []


@pytest.mark.parametrize("text", ["", "AAAAAAAA", "/kill", "x" * 9000])
async def test_a_press_nobody_offered_does_nothing(room: Room, text: str) -> None:
    assert seen(await room.dispatcher(room.message(text, kind=Kind.PRESS))) == EXPIRED
    assert room.desk.asked == []
    assert room.desk.audits[-1].verdict == "expired"


async def test_typing_a_nonce_is_not_pressing_it(room: Room) -> None:
    menu = await room.offered("/stop_strategy ema_crossover")
    await room.typed(menu.nonces[0][0])
    assert room.desk.asked == []


async def test_nonces_are_eight_characters_and_none_is_used_twice(room: Room) -> None:
    made = [
        n
        for _ in range(50)
        for row in (await room.offered("/start_strategy ema_crossover")).nonces
        for n in row
    ]
    assert {len(n) for n in made} == {8}
    assert len(set(made)) == len(made)


async def test_an_alerts_buttons_are_single_use_for_the_one_they_are_sent_to(room: Room) -> None:
    alert = (await room.offered("/stop_strategy ema_crossover")).reply
    outgoing = room.dispatcher.offer(OWNER, alert)
    assert await room.pressed(outgoing, "Keep with stops", VIEWER) == EXPIRED
    assert "stay" in (await room.pressed(outgoing, "Keep with stops") or "")
    assert room.dispatcher.offer(VIEWER, alert).nonces == ()
    assert room.dispatcher.offer(STRANGER, alert).nonces == ()


# -- the audit ----------------------------------------------------------------------------------------


async def test_the_audit_is_written_before_and_after_acting(room: Room) -> None:
    await room.typed("/pause")
    assert room.desk.log == ["audit accepted", "ask Pause", "audit accepted done"]
    before, after = room.desk.audits
    assert (before.source_id, before.actor, before.text) == (after.source_id, "owner 4711", "/pause")
    assert (before.outcome, after.outcome) == ("", "The desk enters nothing more.")


async def test_the_actor_is_named_in_every_record(room: Room) -> None:
    await room.typed("/status", VIEWER)
    await room.dispatcher(room.from_terminal("/status"))
    assert {e.actor for e in room.desk.audits} == {"viewer 99", "terminal"}


@pytest.mark.parametrize("fault", [CommitFailed("disk full"), OSError("gone")])
async def test_without_a_ledger_risk_is_reduced_but_never_added(
    room: Room, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    room.desk.ledger_down = fault
    assert "was not run" in (await room.typed(START) or "")
    assert room.desk.asked == []
    assert "HALTED" in (await room.typed("/kill") or "")
    assert room.desk.asked[0][0] == Kill()
    assert "disk full" not in caplog.text or fault.args[0] == "disk full"


async def test_pasted_text_is_not_kept_in_the_audit(room: Room) -> None:
    await room.typed("https://kite.example/?session_token=SECRET123")
    assert "SECRET123" not in str(room.desk.audits)
    assert room.desk.audits[-1].text == "(text, 45 characters)"


async def test_what_stands_behind_a_mistyped_command_is_not_kept_in_the_audit(room: Room) -> None:
    await room.typed("/paswd SECRET123")
    assert "SECRET123" not in str(room.desk.audits)
    assert room.desk.audits[-1].text == "/paswd (not recorded)"


# -- handlers that misbehave --------------------------------------------------------------------------


def a_command(
    name: str, run: Exception | None, *, danger: Danger = Danger.READ, secret: bool = False
) -> Command:
    @command(name, help="for a test", danger=danger, secret=secret)
    async def handler(desk: DeskPort, call: Call) -> Reply:
        if run is not None:
            raise run
        await asyncio.Event().wait()
        return say("never")

    return handler


@pytest.fixture
def broken() -> Room:
    registry = Registry(
        {
            "Broken": (
                a_command("boom", ValueError("token=abc https://api/secret")),
                a_command("boom_kill", ValueError("x"), danger=Danger.REDUCES_RISK),
                a_command("bad_input", InvalidInput("Expected 1, was 2.")),
                a_command("hangs", None),
                a_command("login", InvalidInput("no"), secret=True),
            )
        }
    )
    return Room(extra=registry, answer_within=0.01)


async def test_an_exception_is_answered_by_a_number_and_logged(
    broken: Room, caplog: pytest.LogCaptureFixture
) -> None:
    shown = await broken.typed("/boom") or ""
    assert "token=abc" not in shown
    fault = shown.rsplit(" ", 1)[-1].rstrip(".")
    assert f"fault {fault}" in caplog.text
    assert "ValueError" in caplog.text
    assert "token=abc" not in str(broken.desk.audits)
    assert "see /status" in (await broken.typed("/boom_kill") or "")


async def test_bad_input_is_answered_by_its_sentence(broken: Room) -> None:
    assert await broken.typed("/bad_input") == "Expected 1, was 2."


async def test_a_handler_that_hangs_is_answered_for(broken: Room) -> None:
    assert await broken.typed("/hangs") == "/hangs has no answer yet."


async def test_a_secret_commands_words_stay_out_of_the_audit(broken: Room) -> None:
    await broken.typed("/login 123456")
    assert "123456" not in str(broken.desk.audits)


# -- odd input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["/kill", "/KILL", " /kill ", "/kill@MunimBot", "/kill now!!", "/kill\n", "/ki\u200bll", "\ufeff/kill",
     "/kill\u00a0x", "/Kill!!", "/kill. ", "/kill… now", "/kill@MunimBot!"],
)  # fmt: skip
async def test_kill_is_understood_however_it_is_typed(room: Room, text: str) -> None:
    await room.typed(text)
    assert [c for c, _, _ in room.desk.asked] == [Kill()]


@pytest.mark.parametrize(
    "text",
    ["", " ", "/", "//kill", "kill", "/kill;", "/kıll", "／kill", "<b>/kill</b>", "\ud800", "/\x00",
     "💥" * 5000, "/kill " + "x" * 5000],
)  # fmt: skip
async def test_odd_messages_are_answered_once_and_do_nothing(room: Room, text: str) -> None:
    shown = await room.typed(text)
    assert shown
    assert len(shown) < 300
    assert room.desk.asked == []
    assert all(e.text.encode() is not None for e in room.desk.audits)  # a half surrogate would fail here


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("kill", "Commands begin with a slash: /kill"),
        ("Kill!! now", "Commands begin with a slash: /kill"),
        ("Positions.", "Commands begin with a slash: /positions"),
        ("good morning", "Commands begin with a slash. /help lists them."),
        ("/ kill", "That is no command. Did you mean /kill?"),
        ("/kill?", "That is no command. Did you mean /kill?"),
        ("//Kill;", "That is no command. Did you mean /kill?"),
        ("/p&l", "That is no command. Did you mean /pnl?"),
        ("/start-strategy ema", "That is no command. Did you mean /start_strategy?"),
        ("/???", "That is no command. /help lists them."),
    ],
)
async def test_what_is_no_command_is_answered_with_the_one_meant(room: Room, text: str, answer: str) -> None:
    assert await room.typed(text) == answer
    assert room.desk.asked == []


async def test_quoted_markup_is_handed_on_as_text(room: Room) -> None:
    shown = await room.typed("/quote <b>RELIANCE</b>&amp;")
    assert "<B>RELIANCE</B>&AMP;" in (shown or "")


@pytest.mark.parametrize(
    "text", ["/trades ٣", "/trades 5²", "/trades 0", "/trades 99999999", "/mute ٣٠m", "/mute 1e9m"]
)
async def test_numbers_are_ascii_and_within_reason(room: Room, text: str) -> None:
    assert "Expected" in (await room.typed(text) or "")


async def test_a_menu_is_shown_to_each_by_role(room: Room) -> None:
    owners, viewers = dict(room.dispatcher.menu(OWNER)), dict(room.dispatcher.menu(VIEWER))
    assert {"kill", "status"} <= owners.keys()
    assert "wait" not in owners
    assert "status" in viewers
    assert "kill" not in viewers
    assert room.dispatcher.menu(STRANGER) == []


async def test_a_cancelled_command_may_be_delivered_again(room: Room) -> None:
    room.desk.hold = asyncio.Event()
    incoming: Incoming = room.message("/pause")
    task = asyncio.create_task(room.dispatcher(incoming))
    await asyncio.wait_for(room.desk.held.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    room.desk.hold = None
    assert await room.dispatcher(incoming) is not None


# -- the last word -------------------------------------------------------------------------------------


@dataclass
class SlowLedger(FakeDesk):
    """One that takes its time to look up the first thing it is asked about."""

    looked_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def audited(self, source_id: str) -> AuditEntry | None:
        if source_id == "tg:1":
            await self.looked_up.wait()
        return await super().audited(source_id)


@pytest.mark.parametrize("brake", ["/stop_strategy ema_crossover keep", "/pause", "/kill", "/paper"])
async def test_a_start_the_ledger_has_not_noted_yet_is_not_run_behind_a_later_brake(brake: str) -> None:
    desk = SlowLedger()
    room = Room(desk)
    start = asyncio.create_task(room.typed(START))
    await asyncio.sleep(0)
    await room.typed(brake)
    assert len(desk.asked) == 1, "the brake waited for nothing"
    desk.looked_up.set()
    name = brake.split()[0]
    said = await start or ""
    assert (
        said
        == f"/start_strategy was not run: {name} came right behind it. Send it again if you still want it."
    )
    assert not any(isinstance(command, StartStrategy) for command, _, _ in desk.asked)
    assert desk.audits[-1].verdict == "overtaken"
    assert "Started" in (await room.typed(START) or "")


async def test_what_looks_or_comes_before_or_is_somebody_elses_overtakes_nothing() -> None:
    desk = SlowLedger()
    room = Room(desk, Policy(frozenset({OWNER, OWNER + 1}), frozenset({VIEWER})))
    start = asyncio.create_task(room.typed(START))
    await asyncio.sleep(0)
    await room.typed("/status")
    await room.typed("/pause", OWNER + 1)
    desk.looked_up.set()
    assert "Started" in (await start or "")


async def test_a_start_sent_behind_a_slow_brake_is_the_last_word() -> None:
    desk = SlowLedger()
    room = Room(desk)
    brake = asyncio.create_task(room.typed("/pause"))
    await asyncio.sleep(0)
    assert "Started" in (await room.typed(START) or "")
    desk.looked_up.set()
    assert "enters nothing more" in (await brake or "")
