"""What each command answers, and what it asks of the desk."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from chat_room import OWNER, VIEWER, WALL, Room, nonce, seen
from fake_desk import NOW, a_position, a_trade, an_instance, an_order

from handlers.dispatch import EXPIRED
from handlers.message import Outgoing, Pre, Style
from handlers.render.text import WIDTH, columns
from handlers.start import wish
from trader.desk.commands import Kill, Pause, Resume, StartStrategy, StopStrategy
from trader.desk.view import OwnerPnl
from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.market import Interval
from trader.domain.order import Order, OrderState, Owner
from trader.domain.records import DayResult, DeskMode, InstanceStatus


@pytest.fixture
def room() -> Room:
    room = Room()
    room.desk.the_trades = [a_trade(1, "208.83", NOW - timedelta(days=3)), a_trade(2, "-91.10")]
    return room


READS = (
    "/status",
    "/positions",
    "/pnl",
    "/orders",
    "/trades",
    "/risk",
    "/quote RELIANCE SBIN",
    "/strategies",
    "/version",
)


@pytest.mark.parametrize("text", READS)
async def test_every_screen_fits_a_phone(room: Room, text: str) -> None:
    tables = [b for b in (await room.offered(text)).reply.blocks if isinstance(b, Pre)]
    assert tables
    assert all(columns(line) <= WIDTH for table in tables for line in table.text.splitlines())


@pytest.mark.parametrize("text", [t for t in READS if "quote" not in t])
@pytest.mark.parametrize("trading", ["paper", "live"])
async def test_every_screen_with_money_says_whose(room: Room, text: str, trading: str) -> None:
    room.desk.the_about = replace(room.desk.the_about, trading=trading)
    shown = await room.typed(text) or ""
    assert trading.upper() in shown
    assert {"paper": "LIVE", "live": "PAPER"}[trading] not in shown


@pytest.mark.parametrize("text", READS)
async def test_reading_changes_nothing(room: Room, text: str) -> None:
    await room.typed(text)
    assert room.desk.asked == []
    assert room.desk.settings == {}


@pytest.mark.parametrize(
    "text",
    ["/status x", "/positions all", "/pnl today", "/kill", "/risk 1", "/version 2", "/reconcile now",
     "/start now"],
)  # fmt: skip
async def test_words_that_mean_nothing_are_asked_about_but_never_hold_up_a_kill(
    room: Room, text: str
) -> None:
    shown = await room.typed(text if text != "/kill" else "/kill please") or ""
    assert ("Usage" in shown) is (text != "/kill")


@pytest.mark.parametrize("text", ["/status", "/positions", "/pnl"])
async def test_refresh_shows_the_same_screen_anew(room: Room, text: str) -> None:
    first = await room.offered(text)
    room.desk.the_view = replace(room.desk.the_view, at=NOW + timedelta(minutes=1))
    again = await room.press(first, "Refresh")
    assert "10:16:02" in (seen(again) or "")
    assert nonce(again, "Refresh") != nonce(first, "Refresh")


# -- the screens --------------------------------------------------------------------------------------


async def test_status_of_a_halted_desk_says_why_since_when_and_by_whom(room: Room) -> None:
    room.desk.halt("daily_loss", "Loss of ₹3,012 today reached the limit of ₹3,000")
    shown = await room.typed("/status") or ""
    assert shown.startswith("PAPER · HALTED\nLoss of ₹3,012 today reached")
    assert "since 10:15:02, by owner 4711" in shown


async def test_status_says_that_a_kill_is_under_way(room: Room) -> None:
    room.desk.the_view = replace(room.desk.the_view, killing=True)
    assert "KILL under way" in (await room.typed("/status") or "").splitlines()[0]


@pytest.mark.parametrize(
    ("hour", "age", "speed", "shown"),
    [
        (10, 10, 1.0, "10 s old"),
        (10, 45, 1.0, "45 s old — QUIET"),
        (10, 45, 60.0, "45 s old"),
        (15, 45, 1.0, "45 s old"),  # 15:15:02: stocks have left continuous trading
        (18, 7200, 1.0, "2 h old"),
        (10, 7200, None, "2 h old"),
    ],
)
async def test_a_quiet_feed_is_marked_while_everything_trades(
    room: Room, hour: int, age: float, speed: float | None, shown: str
) -> None:
    room.desk.the_about = replace(room.desk.the_about, speed=speed)
    now = NOW.replace(hour=hour)
    last = now - timedelta(seconds=age)
    room.desk.the_view = replace(room.desk.the_view, at=now, last_tick_at=last)
    text = " ".join((await room.typed("/status") or "").split())
    assert shown in text
    assert ("QUIET" in text) is ("QUIET" in shown)


async def test_an_empty_desk_has_sentences_for_everything(room: Room) -> None:
    room.desk.the_trades = []
    room.desk.the_view = replace(
        room.desk.the_view,
        positions=(),
        orders=(),
        instances=(),
        by_owner=(),
        limits=(),
        quotes=0,
        last_tick_at=None,
    )
    for text, part in {
        "/status": "no price yet",
        "/positions": "Nothing is open.",
        "/pnl": "Net",
        "/orders": "0 working orders",
        "/trades": "no finished trades",
        "/risk": "risk",
        "/strategies": "None is started.",
        "/stop_strategy": "No strategy is started.",
    }.items():
        assert part in (await room.typed(text) or ""), text


async def test_positions_show_stop_target_total_and_what_is_unprotected(room: Room) -> None:
    shown = await room.typed("/positions") or ""
    assert "stop 1,485.25, target 1,530.26" in shown
    assert shown.count("UNPROTECTED") == 1
    assert shown.splitlines()[-2].split() == ["2", "open", "+746.90"]


async def test_the_figures_of_the_pnl_add_up(room: Room) -> None:
    total = (await room.typed("/pnl") or "").partition("Total\n")[2].splitlines()
    shown = dict(line.rsplit(" ", 1) for line in total if "₹" in line)
    pnl = {k.strip(): Decimal(v.replace("₹", "").replace(",", "")) for k, v in shown.items()}
    assert pnl["Realised"] + pnl["Unrealised"] + pnl["Charges"] == pnl["Net"]


@pytest.mark.parametrize("text", ["/pnl", "/strategies"])
async def test_two_instances_of_a_long_name_are_told_apart(room: Room, text: str) -> None:
    names = [Owner("opening_range_breakout"), Owner("opening_range_breakout_2")]
    view, day = room.desk.the_view, NOW.date()
    room.desk.the_view = replace(
        view,
        by_owner=tuple(
            OwnerPnl(DayResult(day, name, Decimal(-12345), Decimal(9)), Decimal(0)) for name in names
        ),
        instances=tuple(an_instance(name, InstanceStatus.RUNNING, net="-12354.00") for name in names),
    )
    lines = (await room.typed(text) or "").splitlines()
    assert [lines.count(name) for name in names] == [1, 1]
    assert all(columns(line) <= WIDTH for line in lines if "12,354.00" in line)


async def test_an_order_nobody_knows_the_fate_of_stands_out(room: Room) -> None:
    room.desk.the_view = replace(room.desk.the_view, orders=(an_order("INFY", OrderState.UNKNOWN),))
    assert "UNKNOWN: being looked for" in " ".join((await room.typed("/orders") or "").split())


@pytest.mark.parametrize(
    ("text", "head", "count"),
    [("/trades", "· 2 trades", 2), ("/trades 1", "· last 1 trade", 1), ("/trades today", "· 1 trade", 1),
     ("/trades TODAY", "· 1 trade", 1)],
)  # fmt: skip
async def test_trades_by_number_or_of_today(room: Room, text: str, head: str, count: int) -> None:
    shown = await room.typed(text) or ""
    assert f"{head}," in shown
    assert shown.count("BUY 20 at") == count
    assert ("Fri 20 Nov 2026" in shown) is (count == 2)


async def test_a_part_of_a_day_does_not_look_like_the_day(room: Room) -> None:
    room.desk.the_trades = [a_trade(n, "10.00", NOW - timedelta(minutes=60 - n)) for n in range(55)]
    shown = await room.typed("/trades 3") or ""
    assert "· last 3 trades, 3 won, net +₹30.00" in shown
    assert "Mon 23 Nov 2026, last 3     +30.00" in shown
    shown = await room.typed("/trades today") or ""
    assert "· 55 trades, 55 won, net +₹550.00" in shown
    assert "Mon 23 Nov 2026, last 50   +500.00" in shown
    assert "Net                       +₹550.00" in shown


@pytest.mark.parametrize(
    ("words", "says"),
    [("RELIANCE 5m fast", "fast is a setting, written fast=value."),
     ("RELIANCE Stop 1", "stop is a setting, written stop=value."),
     ("RELIANCE max_positions 3", "max_positions is a setting, written max_positions=value."),
     ("RELIANCE 5 m", "'5' is no symbol; an interval is written 5m.")],
)  # fmt: skip
async def test_a_setting_or_an_interval_taken_apart_is_not_called_a_symbol(
    room: Room, words: str, says: str
) -> None:
    assert (await room.typed(f"/start_strategy ema_crossover {words}") or "").startswith(says)
    assert room.desk.asked == []


def an_order_of(day: int, state: OrderState) -> Order:
    order = an_order("TCS", state)
    return replace(order, request=replace(order.request, at=NOW.replace(day=day)))


@pytest.mark.parametrize(
    ("text", "head", "count", "tally"),
    [("/orders 5", "· 3 orders", 3, "2 filled, 1 rejected."),
     ("/orders 1", "· last 1 order", 1, "1 rejected."),
     ("/orders today", "· 2 orders today", 2, "1 filled, 1 rejected."),
     ("/orders TODAY", "· 2 orders today", 2, "1 filled, 1 rejected.")],
)  # fmt: skip
async def test_orders_by_number_or_of_today_like_trades(
    room: Room, text: str, head: str, count: int, tally: str
) -> None:
    filled = replace(an_order_of(23, OrderState.FILLED), filled_quantity=66, average_price=Decimal("1484.95"))
    refused = replace(an_order_of(23, OrderState.REJECTED), message="Insufficient funds")
    room.desk.the_orders = [an_order_of(20, OrderState.FILLED), filled, refused]
    shown = await room.typed(text) or ""
    assert f"PAPER {head}\n" in shown
    assert shown.count("TCS ") == count
    assert ("Fri 20 Nov 2026" in shown) is (count == 3)
    assert shown.endswith(tally)
    assert " REJECTED\n Insufficient funds\n" in shown
    assert (" FILLED at 1,484.95\n" in shown) is (count > 1)


async def test_no_orders_of_today_are_none_of_today(room: Room) -> None:
    room.desk.the_orders = [an_order_of(20, OrderState.FILLED)]
    assert await room.typed("/orders today") == "PAPER · no orders today"


@pytest.mark.parametrize("command", ["/orders", "/trades"])
@pytest.mark.parametrize("words", ["0", "51", "toady", "today 5", "५", "all"])
async def test_what_is_no_number_of_them_is_refused_by_both_alike(
    room: Room, command: str, words: str
) -> None:
    assert f"Usage: {command} [how many, or today]" in " ".join(
        (await room.typed(f"{command} {words}") or "").split()
    )


async def test_a_limit_overrun_says_so_and_none_is_full_before_it_is_reached(room: Room) -> None:
    shown = await room.typed("/risk") or ""
    assert "OVER" in shown
    limit = replace(room.desk.the_view.limits[0], used=Decimal("2999.99"))
    room.desk.the_view = replace(room.desk.the_view, limits=(limit,))
    shown = await room.typed("/risk") or ""
    assert "99%" in shown
    assert "█████████░" in shown


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("/quote", "Which symbol?"),
        ("/quote reliance,RELIANCE reliance", "+0.83%"),
        ("/quote SBIN", "no price"),
        ("/quote RELIANC", "Did you mean RELIANCE?"),
        ("/quote " + " ".join(f"X{n}" for n in range(12)), "at a time is the most"),
    ],
)
async def test_quotes(room: Room, text: str, part: str) -> None:
    assert part in (await room.typed(text) or "")


async def test_the_version_screen(room: Room) -> None:
    shown = await room.typed("/version") or ""
    assert "Munim 0.1.0" in shown
    assert "simulated ×60" in shown
    assert "1 h" in shown


# -- help ---------------------------------------------------------------------------------------------


async def test_help_lists_what_the_reader_may_use_and_nothing_else(room: Room) -> None:
    owners, viewers = await room.typed("/help") or "", await room.typed("/help", VIEWER) or ""
    for item in room.registry:
        line = f"/{item.name} – {item.help}"
        assert (line in owners) is not item.terminal_only
        assert (line in viewers) is (item.role == "viewer")
    assert "/wait" in (seen(await room.dispatcher(room.from_terminal("/help"))) or "")


@pytest.mark.parametrize("name", ["start_strategy", "/start_strategy", "START_STRATEGY", "run"])
async def test_help_of_one_command(room: Room, name: str) -> None:
    assert (await room.typed(f"/help {name}") or "").startswith("/start_strategy NAME SYMBOLS")


async def test_help_of_no_command(room: Room) -> None:
    assert "Did you mean kill?" in (await room.typed("/help kil") or "")
    assert "kill" not in (await room.typed("/help kil", VIEWER) or "").replace("'kil'", "")


async def test_opening_the_chat_starts_nothing(room: Room) -> None:
    assert "This started nothing" in (await room.typed("/start") or "")
    assert room.desk.asked == []


# -- starting -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "symbols", "interval", "settings"),
    [
        ("ema RELIANCE", ("RELIANCE",), None, {}),
        ("ema reliance,tcs 1m", ("RELIANCE", "TCS"), Interval.M1, {}),
        ("ema 5m RELIANCE TCS", ("RELIANCE", "TCS"), Interval.M5, {}),
        ("ema RELIANCE , TCS fast = 9 SLOW=21", ("RELIANCE", "TCS"), None, {"fast": "9", "slow": "21"}),
        ("ema RELIANCE,RELIANCE,", ("RELIANCE",), None, {}),
        ("ema NSE:RELIANCE M&M BAJAJ-AUTO", ("NSE:RELIANCE", "M&M", "BAJAJ-AUTO"), None, {}),
        ("ema 3MINDIA 5PAISA 360ONE 15minute", ("3MINDIA", "5PAISA", "360ONE"), Interval.M15, {}),
        ("ema stop=1 RELIANCE 1h target=2", ("RELIANCE",), Interval.H1, {"stop": "1", "target": "2"}),
    ],
)
def test_a_start_line_may_be_put_in_any_order(
    raw: str, symbols: tuple[str, ...], interval: Interval | None, settings: dict[str, str]
) -> None:
    found = wish(raw)
    assert (found.strategy, found.symbols, found.interval, found.settings) == (
        "ema",
        symbols,
        interval,
        settings,
    )
    assert wish(found.line().removeprefix("/start_strategy ")) == found


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        ("ema RELIANCE fast=", InvalidInput),
        ("ema RELIANCE fast=9 FAST=10", InvalidInput),
        ("ema RELIANCE a=b=c", InvalidInput),
        ("ema RELIANCE 1m 5m", InvalidInput),
        ("ema RELIANCE 7m", UnknownName),
    ],
)
def test_a_start_line_that_cannot_be_meant_is_refused(raw: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        wish(raw)


async def test_a_full_line_starts_at_once_and_says_the_risk_in_rupees(room: Room) -> None:
    shown = await room.typed("/start_strategy EMA_CROSSOVER reliance,TCS 1m fast=9 risk=0.5") or ""
    wanted = StartStrategy("ema_crossover", ("RELIANCE", "TCS"), "1m", {"fast": "9", "risk": "0.5"})
    assert [c for c, _, _ in room.desk.asked] == [wanted]
    assert "Started ema_crossover on RELIANCE, TCS" in shown
    assert "PAPER · risk a trade: ₹500 (0.5% of ₹1,00,000)" in shown


async def test_without_an_interval_the_desk_chooses(room: Room) -> None:
    await room.typed("/start_strategy ema_crossover RELIANCE")
    assert room.desk.asked[0][0] == StartStrategy("ema_crossover", ("RELIANCE",), None, {})


async def test_an_unknown_strategy_is_refused_with_the_nearest_name(room: Room) -> None:
    shown = await room.typed("/start_strategy ema_cross RELIANCE") or ""
    assert "Did you mean ema_crossover?" in shown
    assert room.desk.asked == []


@pytest.mark.parametrize("basket", ["RELIANCE", "RELIANCE + TCS + INFY"])
async def test_a_strategy_is_put_together_by_buttons_and_started_by_the_last(room: Room, basket: str) -> None:
    step = await room.offered("/start_strategy")
    for label in ("ema_crossover", basket, "1m"):
        assert room.desk.asked == []
        step = await room.press(step, label)
    assert "₹1,000 (1% of ₹1,00,000)" in " ".join((seen(step) or "").split())
    assert [(b.label, b.style) for row in step.reply.buttons for b in row] == [
        ("Start", Style.SUCCESS),
        ("Cancel", Style.PLAIN),
    ]
    assert room.desk.asked == []
    await room.pressed(step, "Start")
    wanted = StartStrategy("ema_crossover", tuple(basket.split(" + ")), "1m", {})
    assert [c for c, _, _ in room.desk.asked] == [wanted]
    assert await room.pressed(step, "Cancel") == EXPIRED


async def test_settings_typed_before_the_buttons_are_kept(room: Room) -> None:
    step = await room.offered("/start_strategy ema_crossover fast=5 risk=2")
    for label in ("TCS", "5m"):
        step = await room.press(step, label)
    await room.pressed(step, "Start")
    assert room.desk.asked[0][0] == StartStrategy("ema_crossover", ("TCS",), "5m", {"fast": "5", "risk": "2"})


@pytest.mark.parametrize("text", ["/start_strategy night_owl", "/start_strategy Night_Owl RELIANCE 5m ?"])
async def test_a_strategy_whose_file_cannot_be_used_is_told_with_file_line_and_why(
    room: Room, text: str
) -> None:
    room.desk.the_unusable = {"night_owl.py": "line 5: expected ':'"}
    assert await room.typed(text) == "night_owl cannot be used: night_owl.py, line 5: expected ':'"
    assert "Not used: night_owl.py, line 5: expected ':'" in (await room.typed("/strategies") or "")
    assert room.desk.asked == []


async def test_cancel_starts_nothing(room: Room) -> None:
    step = await room.offered("/start_strategy ema_crossover TCS 1m ?")
    await room.pressed(step, "Cancel")
    assert await room.pressed(step, "Start") == EXPIRED
    assert room.desk.asked == []


@pytest.mark.parametrize("interval", ["1m", ""])
async def test_the_summary_refuses_a_symbol_that_does_not_exist(room: Room, interval: str) -> None:
    shown = await room.typed(f"/start_strategy ema_crossover RELIANS {interval} ?") or ""
    assert "Did you mean RELIANCE?" in shown


async def test_what_failed_and_still_holds_something_can_be_stopped_by_a_button(room: Room) -> None:
    failed = an_instance(Owner("ema_crossover"), InstanceStatus.FAILED, 2)
    room.desk.the_view = replace(room.desk.the_view, instances=(failed,))
    step = await room.press(await room.offered("/strategies"), "Stop one")
    assert "Close positions" in str((await room.press(step, "ema_crossover")).reply.buttons)


async def test_before_it_stops_the_question_shows_the_result_in_rupees(room: Room) -> None:
    assert "2 open, +₹873.20 today." in (await room.typed("/stop_strategy ema_crossover") or "")


@pytest.mark.parametrize("risk", ["abc", "nan", "inf", "1%"])
async def test_a_risk_that_is_no_number_is_the_desks_to_refuse(room: Room, risk: str) -> None:
    shown = await room.typed(f"/start_strategy ema_crossover TCS 1m risk={risk}") or ""
    assert ("₹1,000" in shown) is (risk == "1%")
    assert len(room.desk.asked) == 1


# -- stopping -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "close"), [("close", True), ("KEEP", False)])
async def test_stopping_by_name_and_word(room: Room, word: str, close: bool) -> None:
    await room.typed(f"/stop_strategy Ema_Crossover {word}")
    assert room.desk.asked[0][0] == StopStrategy("ema_crossover", close=close)


@pytest.mark.parametrize(("held", "asked"), [(0, 1), (2, 0)])
async def test_a_stopped_strategy_is_asked_about_only_while_it_holds_something(
    room: Room, held: int, asked: int
) -> None:
    over = an_instance(Owner("breakout"), InstanceStatus.STOPPED, held)
    room.desk.the_view = replace(room.desk.the_view, instances=(over,))
    shown = await room.typed("/stop_strategy breakout") or ""
    assert ("Close positions" in shown) is (held > 0)
    assert len(room.desk.asked) == asked


async def test_stopping_asks_which_and_then_how(room: Room) -> None:
    which = await room.offered("/stop_strategy")
    how = await room.press(which, "ema_crossover")
    styles = {b.label: b.style for row in how.reply.buttons for b in row}
    assert styles == {"Close positions": Style.DANGER, "Keep with stops": Style.PLAIN}
    assert room.desk.asked == []
    await room.pressed(how, "Keep with stops")
    assert room.desk.asked[0][0] == StopStrategy("ema_crossover", close=False)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("/stop_strategy ema_cross", "Did you mean ema_crossover?"),
        ("/stop_strategy ema_crossover sell", "Expected close or keep"),
        ("/stop_strategy ema_crossover close now", "Usage"),
        ("/pause nonsense", "No started strategy"),
        ("/pause ema_crossover tcs", "Usage"),
    ],
)
async def test_a_stop_that_cannot_be_meant_is_refused(room: Room, text: str, part: str) -> None:
    assert part in (await room.typed(text) or "")
    assert room.desk.asked == []


# -- the brakes ---------------------------------------------------------------------------------------


async def test_kill_acts_at_once(room: Room) -> None:
    assert await room.typed("/kill") == "HALTED at 10:15:02.\nCancelling 1 order, closing 2 positions."
    assert room.desk.asked == [(Kill(), "tg:1", f"owner {OWNER}")]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/pause", Pause(None)),
        ("/pause ema_crossover", Pause("ema_crossover")),
        ("/resume RSI_reversal", Resume("rsi_reversal")),
    ],
)
async def test_pause_and_resume_act_on_the_desk_or_a_strategy(room: Room, text: str, wanted: object) -> None:
    await room.typed(text)
    assert [c for c, _, _ in room.desk.asked] == [wanted]


async def test_the_desk_resumes_only_after_its_reason_was_seen(room: Room) -> None:
    room.desk.halt("killed", "Killed by the owner")
    asked = await room.offered("/resume")
    shown = seen(asked) or ""
    assert "HALTED" in shown
    assert "Why: Killed by the owner" in shown
    assert "Since: 10:15:02, by owner 4711" in shown
    assert room.desk.asked == []
    await room.pressed(asked, "Resume")
    assert [c for c, _, _ in room.desk.asked] == [Resume(None)]


async def test_a_confirmation_does_not_cover_a_halt_that_came_after_it_was_asked_for(room: Room) -> None:
    room.desk.halt("killed", "Killed by the owner")
    asked = await room.offered("/resume")
    room.desk.the_view = replace(room.desk.the_view, at=NOW + timedelta(seconds=9))
    room.desk.halt("unknown_order", "An order's outcome is unknown")
    again = await room.press(asked, "Resume")
    assert room.desk.asked == []
    assert "An order's outcome is unknown" in (seen(again) or "")
    await room.pressed(again, "Resume")
    assert [c for c, _, _ in room.desk.asked] == [Resume(None)]


async def test_typing_the_confirmation_is_not_confirming(room: Room) -> None:
    room.desk.halt("killed", "Killed by the owner")
    await room.typed(f"/resume @{room.desk.the_view.latch.since.isoformat()}")
    assert room.desk.asked == []


async def test_a_desk_that_cannot_resume_says_so_before_it_asks(room: Room) -> None:
    room.desk.halt("daily_loss", "Today's loss is ₹3,012.00, the limit ₹3,000.00.")
    why = "Not resumed. Today's loss is ₹3,012.00, the limit ₹3,000.00. It ends with the trading day."
    room.desk.the_view = replace(room.desk.the_view, not_resumed=why)
    refused = await room.offered("/resume")
    assert (seen(refused), refused.reply.buttons) == (why, ())
    assert room.desk.asked == []


async def test_an_active_desk_has_nothing_to_resume(room: Room) -> None:
    assert room.desk.the_view.latch.mode is DeskMode.ACTIVE
    assert "nothing to resume" in (await room.typed("/resume") or "")


# -- the house ----------------------------------------------------------------------------------------


async def test_muting_is_told_to_the_notifier_and_kept(room: Room) -> None:
    assert "Quiet until 10:30:00" in (await room.typed("/mute 30m") or "")
    assert room.mutes == [WALL + timedelta(minutes=30)]
    assert room.desk.settings["mute_until"] == (WALL + timedelta(minutes=30)).isoformat()
    asked = await room.offered("/mute")
    assert "Quiet until" in (seen(asked) or "")
    assert await room.pressed(asked, "Alerts on") == "Alerts are on."
    assert room.mutes[-1] is None
    assert await room.typed("/mute") is not None
    assert "Alerts are on" in (await room.typed("/mute") or "")


@pytest.mark.parametrize("word", ["0m", "25h", "soon", "-5m", "30", "30m 5m"])
async def test_a_mute_that_cannot_be_meant_changes_nothing(room: Room, word: str) -> None:
    assert "Usage" in (await room.typed(f"/mute {word}") or "")
    assert room.mutes == []


@pytest.mark.parametrize(
    ("word", "wall", "until", "shown"),
    [
        ("30s", timedelta(seconds=30), None, "10:15:02 → 10:45:02"),
        ("2M", timedelta(minutes=2), None, "10:15:02 → 12:15:02"),
        ("10:20", None, NOW.replace(hour=10, minute=20, second=0), "10:15:02 → 10:20:00"),
        ("15:29:59", None, NOW.replace(hour=15, minute=29, second=59), "→ 15:29:59"),
        ("close", None, None, "→ 15:15:02"),
    ],
)
async def test_waiting(room: Room, word: str, wall: object, until: object, shown: str) -> None:
    answer = seen(await room.dispatcher(room.from_terminal(f"/wait {word}"))) or ""
    assert shown in answer
    assert room.desk.waits == [(wall, until)]


@pytest.mark.parametrize(
    ("word", "part"),
    [("", "Usage"), ("09:15", "has passed"), ("25:00", "no"), ("soon", "Usage"), ("٣:٠٠", "Usage")],
)
async def test_a_wait_that_cannot_be_meant(room: Room, word: str, part: str) -> None:
    assert part in (seen(await room.dispatcher(room.from_terminal(f"/wait {word}"))) or "")
    assert room.desk.waits == []


async def test_large_numbers_stay_inside_the_phone_and_whole(room: Room) -> None:
    big = a_position("NFO:NIFTY26D0826000CE", -1_800_000, "99999.95", "12345.05")
    room.desk.the_view = replace(room.desk.the_view, positions=(big,))
    outgoing: Outgoing = await room.offered("/positions")
    pre = next(b.text for b in outgoing.reply.blocks if isinstance(b, Pre))
    assert all(columns(line) <= WIDTH for line in pre.splitlines())
    assert "+1,57,77,88,20,000.00" in pre.replace("\n ", "")
