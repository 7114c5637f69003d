"""The market as chat tells it: hours, what there is to trade, prices that are live and that are not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest
from chat_room import OWNER, VIEWER, Room, seen
from fake_desk import EMA, NOW, a_position
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.dispatch import EXPIRED
from handlers.message import Kind, Pre, Style
from handlers.render.text import WIDTH, columns
from trader.desk.commands import CloseDay, ReopenDay, StartStrategy
from trader.domain.errors import InvalidInput
from trader.domain.order import Product
from trader.domain.records import DeskMode, InstanceStatus, Latch

ELECTIONS = date(2026, 12, 1)


@pytest.fixture
def room() -> Room:
    return Room()


def at(room: Room, clock: str, day: date | None = None) -> None:
    hour, minute = map(int, clock.split(":"))
    moment = (NOW if day is None else datetime.combine(day, NOW.timetz())).replace(hour=hour, minute=minute)
    room.desk.the_view = replace(
        room.desk.the_view, at=moment, session=room.desk.calendar().describe(moment), last_tick_at=moment
    )


# -- hours --------------------------------------------------------------------------------------------

TODAY = """\
Mon 23 Nov 2026
Open until 15:15, F&O 15:40
           Auction Stocks   F&O
Opens        09:15  09:15 09:15
No new MIS   14:55  15:05 15:05
Square-off   15:07  15:20 15:20
Zerodha's    15:12  15:25 15:26
Stops end    15:15      –     –
Closes       15:15  15:30 15:40
Auction to   15:35      –     –
Holidays
Tue 24 Nov Guru Nanak Jayanti
Fri 25 Dec Christmas
The holidays of 2027 are not in the calendar yet.
1) Refresh"""

RELIANCE = """\
RELIANCE · closing-auction stock
Mon 23 Nov 2026
 09:00 orders collected
 09:05 limit orders only
 09:10 matching, no orders
▸09:15 open
 15:15 closing auction: no orders
 15:20 auction: market, limit
 15:25 auction: limit only
 15:30 auction matching
 15:35 closed
 15:50 post-close
 16:00 closed
MIS entries until 14:55
Square-off  15:07, Zerodha's 15:12
Stops       cancelled at 15:15
Settles     Wed 25 Nov"""

OPTION = """\
NIFTY26D0826000CE · option
Mon 23 Nov 2026
▸09:15 open
 15:40 closed
MIS entries until 15:05
Square-off  15:20, Zerodha's 15:26
Expires     Tue 8 Dec 2026"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/calendar", TODAY),
        ("/calendar reliance", RELIANCE),
        ("/calendar nifty 8dec 26000 ce", OPTION),
        (
            "/calendar 24 Nov",
            "Tue 24 Nov 2026\nClosed: Guru Nanak Jayanti. The next trading day is Wed 25 Nov 2026.",
        ),
    ],
)
async def test_the_calendars_screens(room: Room, text: str, shown: str) -> None:
    assert await room.typed(text, VIEWER) == shown


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("/calendar 8 Nov", ("Special session: Muhurat", "No settlement on the day itself")),
        ("/calendar 1 Feb 2026", ("Special session: Union Budget", "Trades settle Mon 2 Feb")),
        ("/calendar sunday", ("Sun 29 Nov 2026", "Closed: Sunday")),
        ("/calendar Mon", ("Mon 23 Nov 2026",)),  # which is today
        ("/calendar 28 Nov", ("Closed: Saturday", "Mon 30 Nov 2026")),
        ("/calendar 3 Jul 2026", ("Closes       15:30  15:30 15:30",)),  # before the closing auction
        ("/calendar NIFTY 50", ("NIFTY 50 · index",)),
        ("/calendar 31 Nov", ("is on no calendar", "Nothing was done")),
        ("/calendar RELIANS", ("Did you mean RELIANCE?",)),
        ("/calendar ZENTEC", ("ZENTEC · stock", "15:20, Zerodha's 15:25")),
    ],
)
async def test_other_days_and_instruments(room: Room, text: str, parts: tuple[str, ...]) -> None:
    shown = await room.typed(text) or ""
    for part in parts:
        assert part in shown


async def test_on_a_closed_day_the_calendar_shows_the_next_one(room: Room) -> None:
    at(room, "10:00", date(2026, 11, 24))
    shown = await room.typed("/calendar") or ""
    assert "(Guru Nanak Jayanti)" in shown
    assert "The next day, Wed 25 Nov 2026:" in shown
    assert "Wed 25 Nov 2026\n 09:00" in (await room.typed("/calendar RELIANCE") or "")


async def test_trading_days_without_settlement_are_named(room: Room) -> None:
    at(room, "10:00", date(2026, 3, 16))
    assert "No settlement\nThu 19 Mar trades wait a day" in (await room.typed("/calendar") or "")


# -- closures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["/closed 1 Dec municipal elections", "/closed Tue 1 Dec 2026 municipal elections"]
)
async def test_a_closure_is_noted_after_it_was_confirmed(room: Room, text: str) -> None:
    asked = await room.offered(text)
    assert (seen(asked) or "").splitlines()[:2] == [
        "PAPER · note the exchange as closed?",
        "Tue 1 Dec 2026: municipal elections",
    ]
    assert [b.style for row in asked.reply.buttons for b in row] == [Style.DANGER, Style.PLAIN]
    assert room.desk.asked == []
    await room.pressed(asked, "Closed")
    assert [command for command, _, _ in room.desk.asked] == [CloseDay(ELECTIONS, "municipal elections")]
    assert "Tue 1 Dec 2026: municipal elections" in (await room.typed("/closed") or "")
    assert "Tue  1 Dec municipal elections" in (await room.typed("/calendar") or "")
    assert "Closed: municipal elections" in (await room.typed("/calendar 1 Dec") or "")


async def test_a_closure_is_taken_back(room: Room) -> None:
    await room.pressed(await room.offered("/closed 2026-12-01 elections"), "Closed")
    assert "trades again" in (await room.typed("/reopened 1 Dec") or "")
    assert room.desk.asked[-1][0] == ReopenDay(ELECTIONS)
    assert "No closures are noted." in (await room.typed("/closed") or "")


async def test_leaving_it_closes_nothing(room: Room) -> None:
    asked = await room.offered("/closed 1 Dec elections")
    await room.pressed(asked, "Leave it")
    assert await room.pressed(asked, "Closed") == EXPIRED
    assert room.desk.asked == []


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("/closed soon", "'soon' is no day; expected a day like 2026-12-01"),
        ("/closed 31 Nov floods", "is on no calendar"),
        ("/closed 2026-02-30 floods", "is on no calendar"),
        ("/closed Mon 1 Dec 2026 floods", "1 Dec 2026 is a Tuesday"),
        ("/closed ١ Dec floods", "is no day"),
        ("/closed 1 Dec", "Why is it closed on Tue 1 Dec 2026?"),
        ("/closed 20 Nov floods", "Fri 20 Nov 2026 is past. Nothing was done."),
        ("/closed 25 Dec floods", "Fri 25 Dec 2026 is closed already: Christmas. Nothing was done."),
        ("/closed 28 Nov floods", "closed already: Saturday. Nothing was done."),
        ("/reopened someday", "is no day; expected"),
        ("/reopened 1 Dec now", "Usage"),
    ],
)
async def test_a_closure_that_cannot_be_meant_does_nothing(room: Room, text: str, part: str) -> None:
    assert part in (await room.typed(text) or "")
    assert room.desk.asked == []


async def test_closing_is_the_owners_and_is_not_done_late(room: Room) -> None:
    assert "owner's" in (await room.typed("/closed 1 Dec x", VIEWER) or "")
    assert "not run" in (await room.typed("/reopened 1 Dec", OWNER, age=3600) or "")
    assert room.desk.asked == []


# -- prices -------------------------------------------------------------------------------------------

QUOTES = """\
Prices at 10:15:02
Symbol              Last ₹ Change
RELIANCE          1,512.40 +0.83%
 Reliance Industries
 closing-auction stock, open
 bid 1,512.35, ask 1,512.45
 0 s old
 tick 0.10
 band 1,350.00 to 1,650.00
NIFTY26D0826000CE   120.50      –
 option, open
 bid 120.45, ask 120.55
 0 s old
 expires Tue 8 Dec 2026
 lot 65, tick 0.05, freeze 1,800
SBIN              no price
 SBI
 closing-auction stock, open
 tick 0.10
 band 729.90 to 892.10
1) Refresh"""


async def test_quotes_tell_what_it_is_and_in_which_steps_it_trades(room: Room) -> None:
    asked = await room.offered("/quote RELIANCE, nifty 8dec 26000 ce SBIN")
    assert seen(asked) == QUOTES
    assert await room.pressed(asked, "Refresh") == QUOTES


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("/quote NIFTY 8DEC 26000 CE", "NIFTY26D0826000CE"),
        ("/q nifty_8dec_26000_ce", "NIFTY26D0826000CE"),
        ('/q "nifty 26000 call"', "NIFTY26D0826000CE"),
        ("/q NIFTY26D0826000CE", "NIFTY26D0826000CE"),
        ("/q nifty fut", "NIFTY26DECFUT"),
        ("/q NIFTY 50", "NIFTY 50"),
        ("/q nifty", "NIFTY 50"),
    ],
)
async def test_a_contract_is_quoted_however_it_is_written(room: Room, text: str, symbol: str) -> None:
    shown = await room.typed(text) or ""
    assert shown.splitlines()[2].startswith(symbol)


@pytest.mark.parametrize("clock", ["15:15", "15:19", "15:20", "15:29", "15:34"])
async def test_nothing_is_shown_as_live_in_the_closing_auction(room: Room, clock: str) -> None:
    at(room, clock)
    shown = (await room.typed("/quote RELIANCE") or "").splitlines()
    assert shown[2].split() == ["RELIANCE", "auction"]
    assert " closing auction: not live" in shown
    assert not any("bid" in line for line in shown)
    assert " last traded 1,512.40, 0 s old" in shown
    assert "RELIANCE auction" in " ".join((await room.typed("/find reliance") or "").split())


@pytest.mark.parametrize(
    ("clock", "symbol", "live"),
    [
        ("15:14", "RELIANCE", True),
        ("15:20", "ZENTEC", True),
        ("15:20", "NIFTY 8DEC 26000 CE", True),
        ("15:14", "NIFTY", True),
        ("15:20", "NIFTY", False),  # indices are not computed from trades then
        ("15:36", "RELIANCE", True),  # plainly closed, and said to be
    ],
)
async def test_who_is_live_when(room: Room, clock: str, symbol: str, live: bool) -> None:
    at(room, clock)
    shown = await room.typed(f"/quote {symbol}") or ""
    assert ("not live" not in shown) is live


async def test_on_its_first_day_a_market_has_no_previous_close(room: Room) -> None:
    room.desk.previous_closes.clear()
    shown = (await room.typed("/quote RELIANCE") or "").splitlines()
    assert shown[2].split() == ["RELIANCE", "1,512.40", "–"]
    assert not any("band" in line for line in shown)


# -- finding ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("/find relian", ("1 match: relian", "RELIANCE 1,512.40", "Reliance Industries", "tick 0.10")),
        (
            "/find nifty 26d08 26000",
            ("2 matches", "strike 26000 CE", "option of NIFTY, Tue 8 Dec 2026", "lot 65"),
        ),
        ("/f infosys", ("INFY",)),
        ("/find nifty", ("first 8 matches: nifty", "There are more")),
        ("/find", ("Find what?",)),
        ("/find RELIANX", ("Did you mean RELIANCE?",)),
    ],
)
async def test_finding_by_symbol_and_name(room: Room, text: str, parts: tuple[str, ...]) -> None:
    shown = await room.typed(text) or ""
    for part in parts:
        assert part in shown


CHAIN = """\
NIFTY Tue 8 Dec 2026
NIFTY 50 26,012.40 at 10:15:02
Call ₹ Strike Put ₹
     –  25750     –
     –  25800     –
     –  25850     –
180.50  25900     –
150.50  25950     –
120.50 ▸26000     –
 90.50  26050     –
 60.50  26100     –
     –  26150     –
     –  26200     –
     –  26250     –
Of 41 strikes; lot 65, tick 0.05, freeze 1,800.
1) Refresh"""


@pytest.mark.parametrize(
    "text", ["/chain NIFTY", "/chain nifty 8dec", "/chain NIFTY 8 Dec 2026", "/chain nifty 50"]
)
async def test_the_chain_around_the_money(room: Room, text: str) -> None:
    asked = await room.offered(text)
    assert seen(asked) == CHAIN
    assert await room.pressed(asked, "Refresh") == CHAIN


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("/chain NIFTY 26DEC", "NIFTY Tue 29 Dec 2026"),  # Kite's YYMMM
        ("/chain NIFTY DEC", "NIFTY Tue 29 Dec 2026"),
        ("/chain NIFTY 29 Dec", "NIFTY Tue 29 Dec 2026"),
        ("/chain NIFTY 9DEC", "8 Dec 2026, 29 Dec 2026"),
        ("/chain NIFTY JAN", "NIFTY"),
        ("/chain", "Of what?"),
        ("/chain NIFTI", "NIFTY"),
        ("/chain RELIANCE", "RELIANCE"),
    ],
)
async def test_other_expiries_and_what_has_none(room: Room, text: str, part: str) -> None:
    assert part in (await room.typed(text) or "")


async def test_without_the_underlyings_price_the_chain_marks_no_money(room: Room) -> None:
    del room.desk.prices["NIFTY 50"]
    shown = await room.typed("/chain NIFTY") or ""
    assert "NIFTY 50 has no price yet" in shown
    assert "▸" not in shown


async def test_a_chain_in_the_closing_auction_says_that_the_index_is_not_live(room: Room) -> None:
    at(room, "15:20")
    assert "not live" in (await room.typed("/chain NIFTY") or "")


# -- square-off on the other screens ------------------------------------------------------------------


@pytest.mark.parametrize("text", ["/status", "/risk"])
@pytest.mark.parametrize(
    ("symbols", "clock", "line"),
    [
        ((), "10:15", ""),
        (("RELIANCE", "TCS"), "10:15", "Square-off 15:07"),
        (("RELIANCE", "ZENTEC"), "10:15", "Square-off 15:07 / 15:20"),
        (("RELIANCE", "ZENTEC"), "15:10", "Square-off 15:07 (due) / 15:20"),
        (("DELISTED",), "10:15", ""),
    ],
)
async def test_open_intraday_positions_say_when_they_are_closed(
    room: Room, text: str, symbols: tuple[str, ...], clock: str, line: str
) -> None:
    at(room, clock)
    held = tuple(a_position(symbol, 1, "100", "101") for symbol in symbols)
    room.desk.the_view = replace(room.desk.the_view, positions=held)
    shown = (await room.typed(text) or "").splitlines()
    assert [found for found in shown if found.startswith("Square-off")] == ([line] if line else [])


async def test_what_is_delivered_is_not_squared_off(room: Room) -> None:
    held = replace(a_position("RELIANCE", 1, "100", "101"), product=Product.CNC)
    room.desk.the_view = replace(room.desk.the_view, positions=(held,))
    assert "Square-off" not in (await room.typed("/status") or "")


# -- before a start -----------------------------------------------------------------------------------

PREVIEW = """\
PAPER · start this?
Strategy ema_crossover
Symbols  TCS, NIFTY26D0826000CE
Candles  1m
fast     9
slow     21
Stop     0.5 % from entry
Target   2 % from entry
Product  MIS, square-off 15:07 /
         15:20
Risk     ₹1,000 (1% of ₹1,00,000)
         a trade
ema_crossover is running on TCS already: this would be a second one beside it, \
with positions and risk of its own.
1) Start  2) Cancel"""


async def test_the_preview_shows_exits_product_squareoff_and_who_runs_there_already(room: Room) -> None:
    asked = await room.offered("/start_strategy ema_crossover TCS, nifty 8dec 26000 ce 1m fast=9 stop=0.5% ?")
    assert seen(asked) == PREVIEW
    await room.pressed(asked, "Start")
    wanted = StartStrategy("ema_crossover", ("TCS", "NIFTY26D0826000CE"), "1m", {"fast": "9", "stop": "0.5%"})
    assert [command for command, _, _ in room.desk.asked] == [wanted]


@pytest.mark.parametrize(
    ("settings", "parts", "missing"),
    [
        ("product=CNC side=long", ("Product  CNC",), "square-off"),
        ("target=0", ("Target   none",), "Trail"),
        ("trail=1.5", ("Trail    1.5 % behind the best",), "none"),
    ],
)
async def test_the_preview_follows_what_was_typed(
    room: Room, settings: str, parts: tuple[str, ...], missing: str
) -> None:
    shown = await room.typed(f"/start_strategy rsi_reversal ZENTEC 1m {settings} ?") or ""
    for part in parts:
        assert part in shown
    assert missing not in shown


async def test_the_preview_shows_the_stop_and_target_that_the_strategy_brings_along(room: Room) -> None:
    room.desk.own_options = {"stop": "2", "target": "0"}
    shown = await room.typed("/start_strategy rsi_reversal ZENTEC 1m ?") or ""
    assert "Stop     2 % from entry\nTarget   none" in shown


async def test_what_could_not_be_started_is_offered_no_start(room: Room) -> None:
    room.desk.the_fault = InvalidInput("fast is abc: expected a whole number, 2 to 50")
    asked = await room.offered("/start_strategy ema_crossover RELIANCE 1m fast=abc ?")
    assert seen(asked) == "fast is abc: expected a whole number, 2 to 50"


@pytest.mark.parametrize(("status", "told"), [(InstanceStatus.PAUSED, True), (InstanceStatus.STOPPED, False)])
async def test_only_what_is_alive_counts_as_running(room: Room, status: InstanceStatus, told: bool) -> None:
    first, *_ = room.desk.the_view.instances
    shown = replace(first, instance=replace(first.instance, status=status))
    room.desk.the_view = replace(room.desk.the_view, instances=(shown,))
    preview = await room.typed(f"/start_strategy {EMA} RELIANCE 1m ?") or ""
    assert (f"is {status.lower()} on RELIANCE already" in preview) is told


async def test_a_halted_desk_says_in_the_preview_that_it_will_not_enter(room: Room) -> None:
    room.desk.the_view = replace(
        room.desk.the_view, latch=Latch(DeskMode.HALTED, "killed", "Killed", NOW, "owner")
    )
    assert "will not enter before /resume" in (
        await room.typed("/start_strategy rsi_reversal TCS 1m ?") or ""
    )


@pytest.mark.parametrize(
    "symbols",
    [
        "NIFTY 8DEC 26000 CE",
        '"NIFTY 8DEC 26000 CE"',
        "nifty_8dec_26000_ce",
        "NIFTY26D0826000CE",
        "NIFTY 26000 CE",
    ],
)
async def test_a_contract_is_started_under_the_exchanges_own_name(room: Room, symbols: str) -> None:
    await room.typed(f"/start_strategy ema_crossover {symbols} 5m")
    assert room.desk.asked[0][0] == StartStrategy("ema_crossover", ("NIFTY26D0826000CE",), "5m", {})


# -- all of it ----------------------------------------------------------------------------------------

LOOKS = (
    "/calendar", "/calendar 8 Nov", "/calendar RELIANCE", "/find nifty", "/chain NIFTY", "/status", "/risk",
    "/quote RELIANCE ZENTEC NIFTY26D0826000CE", "/start_strategy ema_crossover RELIANCE,ZENTEC 1m ?",
)  # fmt: skip


@pytest.mark.parametrize("clock", ["08:50", "09:07", "10:15", "15:10", "15:22", "15:36", "15:55", "20:00"])
@pytest.mark.parametrize("text", LOOKS)
async def test_every_screen_fits_a_phone_at_every_hour(room: Room, text: str, clock: str) -> None:
    at(room, clock)
    tables = [b for b in (await room.offered(text)).reply.blocks if isinstance(b, Pre)]
    assert tables
    assert all(columns(line) <= WIDTH for table in tables for line in table.text.splitlines())
    assert all(line == line.rstrip() for table in tables for line in table.text.splitlines())


WORDS = st.sampled_from(
    [
        *("RELIANCE", "NIFTY", "26DEC", "8", "DEC", "26000", "CE", "FUT", "MIS", "CNC", "order", "today"),
        *("-5", "1e3", "٣", "31", "Feb", "2026-02-30", "nan", "₹", "1,00,000", "100"),
        *('"', ",", "?", "=", "_", "x" * 60, "\u202e"),
    ]
)


@given(
    st.sampled_from(["charges", "calendar", "closed", "reopened", "find", "chain", "quote", "funds"]),
    st.lists(WORDS | st.text(max_size=8), max_size=6),
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
async def test_no_words_make_a_command_fail_or_act_unconfirmed(name: str, words: list[str]) -> None:
    room = SHARED
    before = len(room.desk.asked)
    incoming = room.message(f"/{name} {' '.join(words)}", kind=Kind.MESSAGE)
    shown = seen(await room.dispatcher(incoming))
    assert shown
    assert "failed; the log has it" not in shown
    if name != "reopened":
        assert len(room.desk.asked) == before


SHARED = Room()
