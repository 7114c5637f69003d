"""The session at the broker, arming, and what must never be kept of either."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from chat_room import BOOTED, OWNER, STRANGER, VIEWER, WALL, Room, seen
from fake_account import GREEN, LANDED, LINK, RED, TOKEN
from hypothesis import given
from hypothesis import strategies as st

from handlers.confidential import SECRET_COMMANDS, for_show, holds_secret, is_pasted_login, redacted
from handlers.dispatch import EXPIRED
from handlers.message import Kind, Pre, Style
from handlers.registry import Call, Danger, Registry, command
from handlers.render.text import WIDTH, columns
from trader.desk.commands import Arm, Disarm
from trader.desk.events import CheckLine
from trader.domain.errors import BrokerUnavailable, CommitFailed, InvalidInput, LoginNeeded
from trader.domain.records import AuditEntry
from trader.service.port import DeskPort


@pytest.fixture
def room() -> Room:
    room = Room()
    room.desk.goes_live()
    return room


# -- login and logout ---------------------------------------------------------------------------------


async def test_without_a_token_the_desk_logs_in_by_itself_where_it_can(room: Room) -> None:
    room.desk.account().automatic = True
    outgoing = await room.offered("/login")
    assert seen(outgoing) == "Logged in as AB1234 until Tue 06:00."
    assert not outgoing.reply.links


async def test_else_it_shows_the_link_and_what_to_do_with_where_it_leads(room: Room) -> None:
    outgoing = await room.offered("/login")
    assert [(link.label, link.address) for link in outgoing.reply.links] == [("Log in at the broker", LINK)]
    shown = seen(outgoing) or ""
    assert "Copy the whole address and paste it here" in shown
    assert shown.count(LINK) == 1
    assert not outgoing.erase


@pytest.mark.parametrize(
    "text",
    [f"/login {TOKEN}", f"/login {LANDED}", f"/LOGIN@MunimBot  {LANDED}", LANDED, f"  {LANDED}\n", TOKEN,
     f"kite.example/?request_token={TOKEN}"],
)  # fmt: skip
async def test_the_address_or_the_token_logs_in_however_it_is_pasted(room: Room, text: str) -> None:
    outgoing = await room.offered(text)
    assert seen(outgoing) == "Logged in as AB1234 until Tue 06:00."
    assert outgoing.erase
    assert room.desk.account().pasted == [text.strip().removeprefix("/login ").split()[-1]]


@pytest.mark.parametrize("fault", [LoginNeeded("It was used."), InvalidInput("No token in that.")])
async def test_a_login_that_fails_says_why_and_offers_the_link_again(room: Room, fault: Exception) -> None:
    room.desk.account().fault = fault
    outgoing = await room.offered(f"/login {LANDED}")
    assert (seen(outgoing) or "").startswith(f"{fault}\nTo log in\n1. Open the link")
    assert outgoing.reply.links
    assert outgoing.erase


async def test_a_market_without_an_account_says_so() -> None:
    room = Room()
    for text in ("/login", "/logout", LANDED):
        assert "has no broker to log in to" in (await room.typed(text) or "")


async def test_an_old_login_is_not_used_and_says_what_to_do(room: Room) -> None:
    room.desk.account().automatic = True
    for text in ("/login", f"/login {LANDED}"):
        shown = await room.typed(text, age=7200) or ""
        assert shown.startswith("This /login was sent 2 h ago and was not used.\nTo log in")
    assert room.desk.account().pasted == []


async def test_a_login_does_not_wait_for_the_ledger(room: Room) -> None:
    room.desk.ledger_down = CommitFailed("disk full")
    assert "Logged in" in (await room.typed(LANDED) or "")


async def test_logging_out_is_asked_about_with_what_is_open(room: Room) -> None:
    asked = await room.offered("/logout")
    assert (seen(asked) or "").startswith("LIVE · DISARMED · log out of the broker?\n2 positions open")
    assert room.desk.account().logouts == 0
    assert await room.pressed(asked, "Log out") == "Logged out."
    assert await room.pressed(asked, "Log out") == EXPIRED
    assert room.desk.account().logouts == 1


async def test_a_logout_is_never_acted_on_late(room: Room) -> None:
    assert "not run" in (await room.typed("/logout", age=61) or "")
    asked = await room.offered("/logout")
    room.seconds += 31
    assert await room.pressed(asked, "Log out") == EXPIRED
    assert room.desk.account().logouts == 0


async def test_logging_out_of_a_paper_desk_does_not_speak_of_stops_at_the_broker(room: Room) -> None:
    room.desk.the_about = replace(room.desk.the_about, trading="paper")
    assert "rest at the broker" not in (await room.typed("/logout") or "")


# -- arming -------------------------------------------------------------------------------------------


async def test_live_shows_what_must_be_right_and_asks_for_the_code(room: Room) -> None:
    outgoing = await room.offered("/live")
    assert seen(outgoing) == (
        "LIVE · DISARMED · before real money\n"
        "✓ Session: AB1234 until Tue 06:00\n✓ Instruments: 98,213 of 23 Nov\n✓ Stream: connected\n"
        "✓ Address: 203.0.113.7\n"
        "Armed, the desk enters with real money, on a capital of ₹1,00,000.\n2 strategies started.\n"
        "Send /live with the six digits of your authenticator behind it, like /live 123456."
    )
    assert room.desk.asked == []
    assert not outgoing.erase


async def test_live_does_not_ask_for_a_code_before_all_is_right(room: Room) -> None:
    room.desk.account().lines = RED
    outgoing = await room.offered("/live")
    shown = seen(outgoing) or ""
    assert "✗ Address: 203.0.113.9, registered\n  is 203.0.113.7\nNot ready: 1 to look at." in shown
    assert "authenticator" not in shown
    room.desk.account().lines = GREEN
    assert "authenticator" in (await room.pressed(outgoing, "Check again") or "")


@given(st.lists(st.builds(CheckLine, st.text(max_size=60), st.booleans(), st.text(max_size=200)), max_size=9))
def test_a_checklist_fits_a_phone_whatever_is_in_it(lines: list[CheckLine]) -> None:
    room = Room()
    room.desk.goes_live().lines = tuple(lines)
    outgoing = asyncio.run(room.offered("/live"))
    tables = [block.text for block in outgoing.reply.blocks if isinstance(block, Pre)]
    assert all(columns(line) <= WIDTH for table in tables for line in table.splitlines())
    assert sum(table.count("✗") for table in tables) >= sum(not line.ok for line in lines)


@pytest.mark.parametrize("text", ["/live 492039", "/live 492 039", "/LIVE  492039 "])
async def test_the_right_code_arms_and_every_screen_says_so(room: Room, text: str) -> None:
    outgoing = await room.offered(text)
    assert (seen(outgoing) or "").startswith("LIVE: armed.")
    assert outgoing.erase
    assert room.desk.asked == [(Arm(), "tg:1", f"owner {OWNER}")]
    assert (await room.typed("/status") or "").startswith("LIVE · ARMED · ACTIVE")
    assert await room.typed(text) == "Armed already: entries use real money. /paper takes it back at once."
    assert room.desk.codes == ["492039"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("/live 111111", "The code is wrong."),
        ("/live 49203", "Expected the six digits"),
        ("/live 4920399", "Expected the six digits"),
        ("/live ٤٩٢٠٣٩", "Expected the six digits"),
        ("/live now", "Expected the six digits"),
        ("/live 492039 please", "Expected the six digits"),
    ],
)
async def test_a_code_that_is_none_arms_nothing_and_is_not_repeated(room: Room, text: str, part: str) -> None:
    outgoing = await room.offered(text)
    shown = seen(outgoing) or ""
    assert part in shown
    assert outgoing.erase
    assert text.split()[1] not in shown
    assert room.desk.asked == []


async def test_what_is_wrong_at_the_last_moment_keeps_the_desk_disarmed(room: Room) -> None:
    room.desk.account().lines = RED
    assert (await room.typed("/live 492039") or "").startswith("Not armed.\n✗ Address")
    assert room.desk.codes == []


async def test_a_halted_desk_says_that_it_will_not_enter_all_the_same(room: Room) -> None:
    room.desk.halt("killed", "Killed by the owner")
    assert "HALTED: it will not enter before /resume" in (await room.typed("/live") or "")
    assert "HALTED: it will not enter before /resume" in (await room.typed("/live 492039") or "")


async def test_a_paper_desk_cannot_be_armed() -> None:
    room = Room()
    assert "TRADING=live" in (await room.typed("/live 492039") or "")
    assert room.desk.codes == []


@pytest.mark.parametrize("age", [61, 7200, -300])
async def test_arming_is_never_acted_on_late(room: Room, age: float) -> None:
    outgoing = await room.dispatcher(room.message("/live 492039", age=age))
    assert "was not run" in (seen(outgoing) or "") or "not run; send again" in (seen(outgoing) or "")
    assert outgoing is not None
    assert outgoing.erase
    assert (room.desk.codes, room.desk.asked) == ([], [])


async def test_arming_sent_before_this_process_began_is_not_acted_on(room: Room) -> None:
    early = replace(room.message("/live 492039"), sent_at=BOOTED.replace(second=0), received_at=WALL)
    room.dispatcher._booted_at = WALL
    assert "not run" in (seen(await room.dispatcher(early)) or "")
    assert room.desk.codes == []


async def test_arming_is_never_acted_on_twice(room: Room) -> None:
    incoming = room.message("/live 492039")
    assert await room.dispatcher(incoming) is not None
    await room.typed("/paper")
    assert await room.dispatcher(incoming) is None
    assert "used already" in (await room.typed("/live 492039") or "")
    assert [type(c) for c, _, _ in room.desk.asked] == [Arm, Disarm]
    assert not room.desk.view().armed


async def test_arming_cut_off_by_a_restart_is_not_done_again(room: Room) -> None:
    incoming = room.message("/live 492039")
    await room.dispatcher(incoming)
    room.desk.audits = [e for e in room.desk.audits if not e.outcome]  # the process died in between
    room.desk.codes.clear()  # and with it, what it knew of used codes
    room.dispatcher._booted_at = WALL
    assert "may have been done" in (seen(await room.dispatcher(incoming)) or "")
    assert room.desk.codes == []


async def test_nothing_is_armed_without_a_record(room: Room) -> None:
    room.desk.ledger_down = CommitFailed("disk full")
    assert "was not run" in (await room.typed("/live 492039") or "")
    assert room.desk.codes == []


@pytest.mark.parametrize(("text", "age"), [("/paper", 0.5), ("/paper now!", 0.5), ("/paper", 7200)])
async def test_paper_acts_at_once_however_late(room: Room, text: str, age: float) -> None:
    room.desk.goes_live(armed=True)
    assert (await room.typed(text, age=age) or "").startswith("Disarmed")
    assert [c for c, _, _ in room.desk.asked] == [Disarm()]
    assert (await room.typed("/status") or "").startswith("LIVE · DISARMED")


async def test_paper_does_not_wait_for_the_ledger(room: Room) -> None:
    room.desk.goes_live(armed=True)
    room.desk.ledger_down = CommitFailed("disk full")
    assert (await room.typed("/paper") or "").startswith("Disarmed")


@pytest.mark.parametrize("armed", [False, True])
@pytest.mark.parametrize(
    "text", ["/status", "/positions", "/pnl", "/orders", "/trades", "/charges", "/funds", "/margins", "/risk",
             "/holdings", "/strategies", "/version", "/start", "/locks", "/charges RELIANCE 100 1420 MIS",
             "/start_strategy ema_crossover INFY 1m ?", "/closed 1 Dec elections", "/logout", "/live"],
)  # fmt: skip
async def test_every_screen_with_money_says_whether_the_desk_is_armed(
    room: Room, text: str, armed: bool
) -> None:
    room.desk.goes_live(armed=armed)
    shown = await room.typed(text) or ""
    assert f"LIVE · {'ARMED' if armed else 'DISARMED'}" in shown
    assert f"LIVE · {'DISARMED' if armed else 'ARMED'}" not in shown


async def test_a_strategy_on_a_disarmed_desk_is_warned_about(room: Room) -> None:
    start = "/start_strategy ema_crossover INFY 1m ?"
    assert "disarmed: it will not enter before /live" in (await room.typed(start) or "")
    room.desk.goes_live(armed=True)
    assert "disarmed" not in (await room.typed(start) or "")


# -- who ----------------------------------------------------------------------------------------------

OWNERS_ALONE = ("/login", f"/login {LANDED}", LANDED, "/logout", "/live", "/live 492039", "/paper",
                "/reconcile", "/adopt RELIANCE", "/ignore RELIANCE", "/flatten RELIANCE")  # fmt: skip


@pytest.mark.parametrize("text", OWNERS_ALONE)
async def test_a_viewer_may_only_look(room: Room, text: str) -> None:
    outgoing = await room.offered(text, VIEWER)
    assert "is the owner's; you may look." in (seen(outgoing) or "")
    assert outgoing.erase is holds_secret(text)
    assert (room.desk.asked, room.desk.account().pasted, room.desk.codes) == ([], [], [])


# -- the broker's silence -----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["/funds", "/margins", "/holdings"])
async def test_a_broker_that_does_not_answer_is_a_sentence(room: Room, text: str) -> None:
    room.desk.the_funds = room.desk.the_holdings = BrokerUnavailable("no route to the broker")
    assert await room.typed(text) == (
        "The broker did not say: no route to the broker\nNothing follows from that; ask again in a moment."
    )


@pytest.mark.parametrize("text", ["/funds", "/holdings", "/live", "/live 492039", "/logout"])
async def test_a_session_that_is_over_is_a_sentence_and_the_way_to_a_new_one(room: Room, text: str) -> None:
    fault = LoginNeeded("The session ended at 06:00.")
    room.desk.the_funds = room.desk.the_holdings = room.desk.account().fault = fault
    outgoing = await room.offered(text)
    if text == "/logout":
        outgoing = await room.press(outgoing, "Log out")
    assert (seen(outgoing) or "").startswith("The session ended at 06:00.\n/login begins a new session.")
    assert "To log in" in (await room.pressed(outgoing, "Log in") or "")


async def test_status_says_that_nobody_is_logged_in_and_what_to_do(room: Room) -> None:
    assert "LOGGED OUT" not in (await room.typed("/status") or "")
    reason = "The session ended before its time: another login with the same app. /login takes it back."
    room.desk.account().lines = (CheckLine("Session", False, reason), *GREEN[1:])
    outgoing = await room.offered("/status")
    assert (seen(outgoing) or "").splitlines()[:3] == [
        "LIVE · DISARMED · ACTIVE",
        "LOGGED OUT of the broker: no prices, no orders.",
        reason,
    ]
    assert "To log in" in (await room.pressed(outgoing, "Log in") or "")


async def test_a_viewer_is_not_offered_a_login(room: Room) -> None:
    room.desk.the_funds = LoginNeeded("The session ended at 06:00.")
    assert not (await room.offered("/funds", VIEWER)).nonces


# -- secrets ------------------------------------------------------------------------------------------


def test_the_commands_with_secrets_are_those_the_registry_knows() -> None:
    secret = {word for item in Room().registry if item.secret for word in (item.name, *item.aliases)}
    assert secret == set(SECRET_COMMANDS)


SECRETS = (f"/login {TOKEN}", f"/login {LANDED}", LANDED, TOKEN, f"/lgoin {TOKEN}", f"/log_in {LANDED}",
           f"/kite {LANDED}", f"/status {LANDED}", f"/quote {LANDED}", f"/help {LANDED}", f"/mute {LANDED}",
           f"login {LANDED}", f"/closed {LANDED}", f"/adopt {LANDED}", f"/flatten {LANDED}")  # fmt: skip
CODES = ("/live 492039", "/live 492 039", "/lve 492039", "/alive 492039", "492039", "492 039", "/code 492039")


@pytest.mark.parametrize("user", [OWNER, VIEWER, STRANGER])
@pytest.mark.parametrize("text", [*SECRETS, *CODES])
async def test_no_token_and_no_code_is_kept_anywhere(
    room: Room, text: str, user: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    outgoing = await room.dispatcher(room.message(text, user))
    kept = f"{room.desk.audits} {await room.hears()} {caplog.text}".casefold()
    assert TOKEN.casefold() not in kept
    if user != STRANGER or text.startswith(("/live", "/lve", "492")):
        assert "492039" not in kept.replace(" ", "")
    if outgoing is not None and text != "/code 492039":
        assert outgoing.erase


@pytest.mark.parametrize("text", ["/status", "/live", "/login", "/quote RELIANCE", "/kill", "hello", ""])
async def test_what_holds_no_secret_stays_in_the_chat(room: Room, text: str) -> None:
    outgoing = await room.offered(text)
    assert not outgoing.erase


async def test_a_pressed_button_erases_nothing(room: Room) -> None:
    outgoing = await room.offered(f"/login {TOKEN}x")
    assert outgoing.erase
    room.desk.the_funds = LoginNeeded("Over.")
    again = await room.press(await room.offered("/funds"), "Log in")
    assert not again.erase


@pytest.mark.parametrize("name", SECRET_COMMANDS)
async def test_a_secret_command_that_breaks_says_where_but_not_with_what(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    @command(name, help="for a test", danger=Danger.READ, secret=True)
    async def breaks(desk: DeskPort, call: Call) -> object:
        raise ConnectionError(f"GET https://kite.example/?request_token={call.raw} failed")

    room = Room(extra=Registry({"Broken": (breaks,)}))  # type: ignore[arg-type]  # it never returns
    shown = await room.typed(f"/{name} {TOKEN}") or ""
    assert "the log has it as fault" in shown
    assert "ConnectionError < test_chat_account.py:" in caplog.text
    assert TOKEN not in f"{shown} {caplog.text} {room.desk.audits}"


@pytest.mark.parametrize("name", SECRET_COMMANDS)
async def test_an_answer_that_repeats_the_secret_is_not_recorded(name: str) -> None:
    @command(name, help="for a test", danger=Danger.READ, secret=True)
    async def repeats(desk: DeskPort, call: Call) -> object:
        raise InvalidInput(f"{call.args[0]} is no token.")

    room = Room(extra=Registry({"Talkative": (repeats,)}))  # type: ignore[arg-type]  # it never returns
    assert TOKEN in (await room.typed(f"/{name} {TOKEN} x") or "")
    assert room.desk.audits[-1].outcome == "answered"
    assert TOKEN not in str(room.desk.audits)


@given(st.text(max_size=200), st.sampled_from(["/login ", "/live ", "", "/quote ", "/nonsense ", "/"]))
def test_whatever_is_typed_is_answered_once_and_its_token_is_never_kept(around: str, head: str) -> None:
    room = Room()
    room.desk.goes_live()
    text = f"{head}{around}request_token={TOKEN}"
    assert asyncio.run(room.typed(text))
    kept: list[AuditEntry] = room.desk.audits
    assert TOKEN not in str(kept)
    assert holds_secret(text)
    assert TOKEN not in for_show(text)


@given(st.text())
def test_the_readers_of_secrets_bear_any_text(text: str) -> None:
    assert isinstance(holds_secret(text), bool)
    assert isinstance(is_pasted_login(text), bool)
    assert redacted(redacted(text)) == redacted(text)
    assert for_show(text) == text or "hidden" in for_show(text)


def test_a_press_is_never_taken_for_a_pasted_login(room: Room) -> None:
    press = room.message(TOKEN, kind=Kind.PRESS)
    assert seen(asyncio.run(room.dispatcher(press))) == EXPIRED
    assert room.desk.account().pasted == []


async def test_confirmations_are_red(room: Room) -> None:
    asked = await room.offered("/logout")
    assert asked.reply.buttons[0][0].style is Style.DANGER
