"""The owner's ordinary day with the real process: what the chat shows, and what the ledger says to it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import pytest_asyncio

from handlers.dispatch import EXPIRED
from sandbox.botapi import ShownMessage
from sandbox.botapi.people import wall_now
from tests.service.telegram_desk import (
    EIGHT,
    GROUP,
    OPEN_ORDERS,
    OPEN_POSITIONS,
    OWNER,
    STRANGER,
    VIEWER,
    TelegramDesk,
    tables,
    telegram_desk,
)
from trader.domain.money import rupees

pytestmark = pytest.mark.asyncio(loop_scope="module")

WIDEST = 34
FILL = re.compile(r"(?:BUY|SELL) \d+ \w+ @ ₹[\d,.]+ · ")
TWO_HOURS = timedelta(hours=2)
FOUR_SECONDS = timedelta(minutes=8)  # of the market's clock, at its speed here; a message a second is sent


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TelegramDesk]:
    """One process for all of them; each test makes the state it needs."""
    async with telegram_desk(tmp_path_factory.mktemp("desk")) as running:
        yield running


async def test_a_typed_command_starts_a_strategy_and_its_fills_are_pushed(desk: TelegramDesk) -> None:
    await desk.trading()
    mark = desk.mark(OWNER)
    update = desk.server.say(OWNER, "/start_strategy ema_crossover RELIANCE,TCS,INFY,SBIN 15s")
    shown = await desk.answer(update, mark)
    assert re.match(r"Started (ema_crossover\w*) on RELIANCE, TCS, INFY, SBIN, 15s bars\.\n", shown.text)
    assert "Each trade risks at most ₹1,00,000.00 (1 % of capital)" in shown.text
    assert desk.audit(update)[0] == "accepted"
    assert desk.count("commands_done WHERE source_id = ?", f"tg:{update}") == 1
    [(symbols, status)] = desk.ledger.rows("SELECT symbols, status FROM strategy_instances")
    assert ("NSE:RELIANCE" in str(symbols), status) == (True, "RUNNING")

    alert = await desk.see(lambda: next((m for m in desk.server.replies(OWNER) if FILL.match(m.text)), None))
    title, body = alert.text.split("\n", 1)
    assert "stop ₹" in body
    assert not alert.silent
    assert desk.count("alerts WHERE title = ? AND topic = 'fill'", title) == 1
    side, quantity, symbol = title.split()[:3]
    where = 'fills WHERE side = ? AND quantity = ? AND "key" = ?'
    assert desk.count(where, side, int(quantity), f"NSE:{symbol}") >= 1


@pytest.mark.parametrize("command", ["/positions", "/pnl", "/status", "/orders", "/trades"])
async def test_every_screen_is_a_table_that_a_phone_can_show(desk: TelegramDesk, command: str) -> None:
    await desk.holding()
    await desk.eventually(lambda: desk.count("trades") > 0)
    shown = await desk.ask(command)
    assert shown.text.startswith("PAPER · ")
    assert tables(shown), f"{command} shows no table: {shown.text}"
    for table in tables(shown):
        assert max(map(len, table.splitlines())) <= WIDEST, table
    held = {str(key).partition(":")[2] for (key,) in desk.ledger.rows('SELECT "key" FROM fills')}
    if command != "/status":
        assert any(re.search(rf"^({'|'.join(held)}|ema_crossover)", t, re.MULTILINE) for t in tables(shown))


async def test_buttons_put_a_start_together_in_one_message_and_start_it_once(desk: TelegramDesk) -> None:
    await desk.trading()
    before = desk.count("strategy_instances")
    asked = await desk.ask("/start_strategy")
    assert ["rsi_mean_reversion"] in asked.labels
    for number, (label, heading) in enumerate(
        [
            ("rsi_mean_reversion", "rsi_mean_reversion on which symbols?"),
            ("RELIANCE + TCS + INFY", "rsi_mean_reversion on RELIANCE, TCS, INFY: which candles?"),
            ("15s", "PAPER · start this?"),
        ],
        1,
    ):
        shown = await desk.press(asked, label)
        assert shown is asked, "the question is asked in the message that was pressed"
        assert (shown.edits, shown.text.startswith(heading)) == (number, True)
    assert [row for table in tables(asked) for row in table.splitlines()][:2] == [
        "Strategy   rsi_mean_reversion",
        "Symbols    RELIANCE, TCS, INFY",
    ]
    assert desk.count("strategy_instances") == before, "a question starts nothing"

    mark = desk.mark(OWNER)
    twice = [desk.server.press(asked.message_id, "Start") for _ in range(2)]
    answered = [(await desk.answer(update, mark, edited=asked), desk.audit(update)[0]) for update in twice]
    shown = {verdict: message for message, verdict in answered}  # whichever press came first
    assert shown["accepted"].text.startswith("Started rsi_mean_reversion on RELIANCE, TCS, INFY, 15s bars.")
    assert shown["expired"].text == EXPIRED
    assert asked.labels == []
    await desk.press(asked, "Start", lagging=True)
    assert desk.count("strategy_instances") == before + 1


async def test_kill_ends_flat_and_only_the_owners_confirmation_resumes(desk: TelegramDesk) -> None:
    await desk.holding()
    mark = desk.mark(OWNER)
    answer = await desk.ask("/kill")
    assert re.match(r"HALTED at \d\d:\d\d:\d\d\.\nCancelling \d+ orders?, closing \d+ position", answer.text)
    report = await desk.alert("FLAT verified", since=mark)
    closed = re.search(r"(\d+)/(\d+) positions closed, .* 0 left at the broker", report.text)
    assert closed
    assert closed[1] == closed[2]
    assert f"closing {closed[1]} position" in answer.text
    assert desk.latch() == ("HALTED", "killed")
    assert (desk.count(OPEN_POSITIONS), desk.count(f"orders WHERE {OPEN_ORDERS}")) == (0, 0)
    booked = desk.ledger.rows("SELECT realised, charges FROM day_results")
    net = sum((Decimal(str(realised)) - Decimal(str(charges)) for realised, charges in booked), Decimal(0))
    assert f"Net today {rupees(net, signed=True)}." in report.text
    assert "Nothing is open." in (await desk.ask("/positions")).text

    question = await desk.ask("/resume")
    assert "Why: /kill by owner 4711" in question.text
    assert question.labels == [["Resume", "Leave it"]]
    thrown = desk.count("latches")
    by_stranger, by_viewer = (desk.server.press(question.message_id, "Resume", who) for who in (6667, VIEWER))
    await desk.eventually(lambda: desk.audit(by_viewer)[0] == "expired")
    assert desk.audit(by_stranger) == ("", "")
    await desk.alert("User 6667 (Person 6667), private chat: (pressed a button)")
    assert (desk.count("latches"), desk.latch()[0]) == (thrown, "HALTED")
    assert question.labels == [["Resume", "Leave it"]], "somebody else's press uses nothing up"

    resumed = await desk.press(question, "Resume")
    assert resumed is question
    assert resumed.text.startswith("ACTIVE: trading again.")
    assert (desk.count("latches"), desk.latch()[0]) == (thrown + 1, "ACTIVE")
    again = await desk.press(question, "Resume", lagging=True)
    assert again.text == EXPIRED
    assert desk.count("latches") == thrown + 1


async def test_strangers_are_met_with_silence_and_the_owner_hears_of_it_once(desk: TelegramDesk) -> None:
    await desk.trading()
    shown = await desk.ask("/status")
    told = "alerts WHERE title = 'A stranger wrote to the bot' AND body LIKE 'User 6666 %'"
    thrown = desk.count("latches")
    updates = [desk.server.say(STRANGER, "/kill"), desk.server.say(STRANGER, "/start")]
    updates += [desk.server.press(shown.message_id, "Refresh", STRANGER)]
    alert = await desk.alert("User 6666 (Mallory), private chat: /kill")
    assert "Refused without an answer." in alert.text
    await desk.ask("/version")  # whatever came before it has been judged by now
    assert desk.server.replies(STRANGER) == []
    assert (desk.count(told), desk.count("latches")) == (1, thrown)
    assert [desk.audit(update) for update in updates] == [("", "")] * 3
    assert shown.labels == [["Refresh"]]


async def test_a_viewer_may_look_and_not_touch(desk: TelegramDesk) -> None:
    await desk.trading()
    thrown = desk.count("latches")
    assert (await desk.ask("/status", user=VIEWER)).text.startswith("PAPER · ACTIVE")
    refused = await desk.ask("/kill", user=VIEWER)
    assert refused.text == "/kill is the owner's; you may look."
    audited = (
        "SELECT text, verdict FROM audit_log WHERE actor = 'viewer 4712' AND text LIKE '/%' ORDER BY serial"
    )
    assert desk.ledger.rows(audited) == [("/status", "accepted"), ("/kill", "forbidden")]
    assert desk.count("latches") == thrown


async def test_an_edited_a_forwarded_and_a_group_kill_do_nothing(desk: TelegramDesk) -> None:
    await desk.trading()
    assert (await desk.ask("good morning")).text.startswith("Commands begin with a slash.")
    [*_, mine] = [m for m in desk.server.messages(OWNER) if m.text == "good morning"]
    mark, thrown = desk.mark(OWNER), desk.count("latches")
    updates = [
        desk.server.edit(mine.message_id, "/kill"),
        desk.server.say(OWNER, "/kill", forwarded=True),
        desk.server.say(OWNER, "/kill", chat=GROUP),
    ]
    await desk.ask("/version")
    assert [desk.audit(update) for update in updates] == [("", "")] * 3
    assert desk.count("latches") == thrown
    assert desk.server.replies(GROUP) == []
    assert not [m for m in desk.server.replies(OWNER) if m.message_id > mark and "HALTED" in m.text]
    await desk.alert("/kill was not run", since=mark)


async def test_an_old_start_is_refused_with_its_age(desk: TelegramDesk) -> None:
    await desk.trading()
    before, mark = desk.count("strategy_instances"), desk.mark(OWNER)
    update = desk.server.say(OWNER, f"/start_strategy breakout {EIGHT} 15s", date=wall_now() - TWO_HOURS)
    shown = await desk.answer(update, mark)
    assert shown.text == "/start_strategy was sent 2 h ago, not run; send again if you still want it."
    assert desk.audit(update)[0] == "stale"
    assert desk.count("strategy_instances") == before


async def test_an_old_kill_halts_at_once_and_offers_to_flatten(desk: TelegramDesk) -> None:
    await desk.holding()
    mark = desk.mark(OWNER)
    shown = await desk.answer(desk.server.say(OWNER, "/kill", date=wall_now() - TWO_HOURS), mark)
    assert shown.text.startswith("HALTED at ")
    assert "This /kill was sent 2 h ago: halted at once, open positions left alone." in shown.text
    assert desk.latch() == ("HALTED", "killed")
    assert desk.count(OPEN_POSITIONS) > 0
    assert desk.count(f"orders WHERE asked_purpose = 'kill' AND created_at >= ({LATCHED})") == 0
    assert shown.labels == [["Flatten now"]]
    pressed = await desk.press(shown, "Flatten now")
    assert re.match(r"HALTED at .*\nCancelling \d+ orders?, closing [1-9]", pressed.text)
    await desk.alert("FLAT verified", since=mark)
    assert desk.count(OPEN_POSITIONS) == 0


LATCHED = "SELECT since FROM latches ORDER BY serial DESC LIMIT 1"


async def test_mute_holds_back_fills_and_nothing_critical_and_a_digest_follows(desk: TelegramDesk) -> None:
    await desk.busy()
    quiet = await desk.ask("/mute 30m")
    assert quiet.text.startswith("Quiet until ")
    await desk.eventually(lambda: held_back_for(desk) >= FOUR_SECONDS)
    mark = desk.mark(OWNER)
    await desk.flat()
    told = [m for m in desk.server.replies(OWNER) if m.message_id > mark and is_fill(m)]
    assert told == [], "fills came through a mute"
    held = [title for title in desk.undelivered() if FILL.match(title)]
    assert (await desk.ask("/mute off")).text == "Alerts are on."
    digest = await desk.alert(f"{len(held)} fills", since=mark)
    assert sum(title in digest.text for title in held) >= min(len(held), 10)
    await desk.eventually(lambda: not desk.undelivered())


async def test_a_long_answer_comes_in_several_messages_and_nothing_is_lost(desk: TelegramDesk) -> None:
    await desk.busy()
    await desk.eventually(lambda: desk.count("trades") >= 50)
    await desk.flat()
    mark = desk.mark(OWNER)
    first = await desk.ask("/trades 50")
    nets = [
        Decimal(str(pnl)) - Decimal(str(charges))
        for pnl, charges in desk.ledger.rows("SELECT pnl, charges FROM trades ORDER BY serial DESC LIMIT 50")
    ]
    won = sum(net > 0 for net in nets)
    shown_of = "last 50" if desk.count("trades") > 50 else "50"
    told = f"PAPER · {shown_of} trades, {won} won, net {rupees(sum(nets), signed=True)}\n"
    assert first.text.startswith(told)

    def parts() -> list[ShownMessage] | None:
        shown = [m for m in desk.server.replies(OWNER) if m.message_id > mark and " → " in m.text]
        return shown if sum(m.text.count(" → ") for m in shown) == 50 else None

    shown = await desk.see(parts)
    assert len(shown) > 1
    assert all(len(table.splitlines()[0]) <= WIDEST for m in shown for table in tables(m))
    assert all(len(tables(m)) == 1 for m in shown)


async def test_the_token_is_nowhere_and_the_log_has_no_complaint(desk: TelegramDesk) -> None:
    await desk.ask("/version")
    assert desk.leaks() == []
    assert not re.search(r"Traceback|ERROR|CRITICAL", desk.said()), desk.said()


def held_back_for(desk: TelegramDesk) -> timedelta:
    """How long the oldest fill that nobody heard of has been waiting, by the market's clock."""
    ever = [datetime.fromisoformat(str(at)) for (at,) in desk.ledger.rows("SELECT at FROM fills ORDER BY at")]
    unheard = desk.ledger.rows(
        "SELECT min(at) FROM alerts WHERE topic = 'fill'"
        " AND alert_id NOT IN (SELECT alert_id FROM alert_deliveries)"
    )[0][0]
    return ever[-1] - datetime.fromisoformat(str(unheard)) if unheard else timedelta(0)


def is_fill(shown: ShownMessage) -> bool:
    return bool(FILL.match(shown.text) or re.match(r"\d+ fills\n", shown.text))
