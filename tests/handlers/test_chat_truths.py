"""What chat says is so: caveats, sums that add up, names that are whole, prices that exist."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from chat_room import Room
from fake_desk import EMA, NOW, D, a_position, a_trade, an_execution, an_order
from hypothesis import given
from hypothesis import strategies as st

from handlers.digest import render_digest
from handlers.message import Pre
from handlers.render.table import table
from handlers.render.terminal import plain
from handlers.render.text import WIDTH, columns
from trader.desk.view import OwnerPnl, PnlView
from trader.domain.instrument import instrument_key
from trader.domain.order import Order, OrderRequest, OrderState, Side
from trader.domain.position import DayResult
from trader.domain.records import Alert, Priority
from trader.domain.times import IST

CONTRACT = "NIFTY26D0826000CE"
LATER = NOW.replace(hour=15, minute=7)


@pytest.fixture
def room() -> Room:
    return Room()


def tables(room_reply: object) -> list[str]:
    return [b.text for b in room_reply.reply.blocks if isinstance(b, Pre)]


# -- the calendar -----------------------------------------------------------------------------------------

UNKNOWN_2027 = "The holidays of 2027 are not in the calendar: any weekday of it may turn out to be one."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/calendar 2027-01-26", True),
        ("/calendar 2027-01-30", True),  # a Saturday: the next trading day is guessed
        ("/calendar 2026-12-31", True),  # settles in the year that is not known
        ("/calendar 2026-12-30", False),
        ("/calendar 24 Nov", False),
    ],
)
async def test_days_of_a_year_without_holidays_are_told_with_that(room: Room, text: str, said: bool) -> None:
    assert (UNKNOWN_2027 in (await room.typed(text) or "")) is said


@pytest.mark.parametrize("text", ["/calendar", "/calendar RELIANCE"])
async def test_so_is_the_day_itself(room: Room, text: str) -> None:
    room.desk.the_view = replace(room.desk.the_view, at=datetime(2027, 1, 26, 10, tzinfo=IST))
    assert UNKNOWN_2027 in (await room.typed(text) or "")


@pytest.mark.parametrize(
    ("text", "said"), [("8 Nov 2026", True), ("21 Oct 2025", False), ("1 Feb 2026", False)]
)
async def test_an_hour_nobody_verified_is_called_that(room: Room, text: str, said: bool) -> None:
    shown = await room.typed(f"/calendar {text}") or ""
    assert "Special session" in shown
    assert ("hour is not verified" in shown) is said


async def test_a_recordings_weekends_and_gaps_are_no_holidays(room: Room) -> None:
    days = [date(2021, 3, 1) + timedelta(days=n) for n in range(60)]
    recorded = {date(2021, 3, 1), date(2021, 3, 2), date(2021, 4, 27)}
    room.desk.the_calendar = room.desk.the_calendar.with_sessions(recorded, set(days) - recorded)
    room.desk.the_view = replace(room.desk.the_view, at=datetime(2021, 3, 1, 10, tzinfo=IST))
    shown = await room.typed("/calendar") or ""
    holidays = shown.partition("Holidays\n")[2].splitlines()[:5]
    assert [line[:10] for line in holidays] == [
        "Thu 11 Mar", "Mon 29 Mar", "Fri  2 Apr", "Wed 14 Apr", "Wed 21 Apr",
    ]  # fmt: skip
    assert "Saturday" not in shown
    assert "nothing recorded" not in shown


@pytest.mark.parametrize(
    ("day", "kind"), [("2026-07-31", "RELIANCE · stock"), ("2026-08-03", "closing-auction stock")]
)
async def test_before_the_closing_auction_came_no_stock_is_one_of_it(room: Room, day: str, kind: str) -> None:
    room.desk.the_view = replace(room.desk.the_view, at=datetime.fromisoformat(f"{day}T10:00+05:30"))
    assert kind in (await room.typed("/calendar RELIANCE") or "")
    for text in ("/quote RELIANCE", "/find RELIANCE"):
        assert ("closing-auction" in (await room.typed(text) or "")) is ("auction" in kind), text


# -- what it would cost ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "brokerage", "orders"), [(1755, "40.00", ""), (3250, "80.00", "2 orders each way")]
)
async def test_the_cost_counts_the_orders_that_the_freeze_quantity_makes_of_one(
    room: Room, quantity: int, brokerage: str, orders: str
) -> None:
    shown = await room.typed(f"/charges NIFTY 8DEC 26000 CE {quantity} 100 NRML") or ""
    line = next(line for line in shown.splitlines() if "Brokerage" in line)
    assert line.split()[-1] == brokerage
    assert orders in shown
    assert ("each way" in shown) is bool(orders)


async def test_more_than_ten_orders_are_not_reckoned_as_ten(room: Room) -> None:
    assert "need more than 10 orders" in (await room.typed(f"/charges {CONTRACT} 65000 100 NRML") or "")


@pytest.mark.parametrize(("typed", "rounded"), [("1420.03", True), ("1420.10", False)])
async def test_a_price_off_the_tick_is_rounded_and_that_is_said(
    room: Room, typed: str, rounded: bool
) -> None:
    shown = await room.typed(f"/charges RELIANCE 100 {typed}") or ""
    assert ("1,420.03 is off the tick of 0.10: reckoned at 1,420.00." in shown) is rounded
    assert ("100 × 1,420.00" in shown) is rounded


# -- sums --------------------------------------------------------------------------------------------------


async def test_a_carried_gain_is_not_added_to_the_day(room: Room) -> None:
    view = room.desk.the_view
    owner = OwnerPnl(DayResult(NOW.date(), EMA, D("100"), D("20"), trades=1, wins=1), D("900"))
    room.desk.the_view = replace(
        view,
        by_owner=(owner,),
        pnl=PnlView(D("100"), D("250"), D("20"), D("330")),
        positions=view.positions[:1],
    )
    shown = await room.typed("/pnl") or ""
    assert "Booked ₹" in shown
    assert "ema_crossover 1/1   +80.00" in shown
    assert "open +900.00 since entry" in shown
    assert "Open positions stand at +₹900.00 since entry, of which +₹650.00 is from before today" in shown


async def test_where_nothing_was_carried_the_strategies_add_up_to_the_net(room: Room) -> None:
    shown = await room.typed("/pnl") or ""
    assert "Net ₹" in shown
    assert "before today" not in shown
    assert all("since entry" in line for line in shown.splitlines() if line.startswith(" open"))


async def test_without_a_price_there_is_no_profit_of_nought(room: Room) -> None:
    held = (a_position("RELIANCE", 66, "1500.25", "1512.40"), a_position("SBIN", 100, "800", "800"))
    room.desk.the_view = replace(room.desk.the_view, positions=held)
    shown = await room.typed("/positions") or ""
    assert "800.00 → no price" in shown
    assert "0.00\n" not in shown.replace("800.00", "")
    assert "2 open        +801.90" in shown
    assert "1 instrument without a price: not in the P&L." in shown
    assert "1 instrument without a price" in (await room.typed("/pnl") or "")


# -- names -------------------------------------------------------------------------------------------------


async def test_a_contract_is_never_cut_to_what_could_be_another(room: Room) -> None:
    traded = replace(a_trade(1, "-123456.78"), key=instrument_key(f"NFO:{CONTRACT}"))
    room.desk.the_trades = [replace(traded, reason="squareoff")]  # type: ignore[arg-type] # as long as one gets
    held = a_position(f"NFO:{CONTRACT}", -1950, "120.5", "180.5")
    working = an_order(f"NFO:{CONTRACT}")
    room.desk.the_view = replace(room.desk.the_view, positions=(held,), orders=(working,))
    room.desk.executed = [an_execution("NIFTY 8DEC 26000 CE", Side.BUY, 1755, "12345.05")]
    for text in (
        "/trades",
        "/orders",
        "/positions",
        "/charges order",
        f"/quote {CONTRACT}",
        f"/find {CONTRACT}",
    ):
        shown = tables(await room.offered(text))
        assert any(CONTRACT in one for one in shown), text
        assert all(columns(line) <= WIDTH for one in shown for line in one.splitlines())


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=3), st.integers(6, 30))
def test_a_whole_table_loses_neither_names_nor_numbers(numbers: list[int], length: int) -> None:
    names = [("X" * length) + str(n) for n, _ in enumerate(numbers)]
    rows = [(name, "squareoff", str(number)) for name, number in zip(names, numbers, strict=True)]
    shown = table(rows, ("Symbol", "Why", "Net"), "<<>", whole=True)
    for name, _, number in rows:
        assert name in shown.split()
        assert number in shown.split()
    assert all(columns(line) <= WIDTH for line in shown.splitlines())


def test_a_digest_keeps_each_ones_reason() -> None:
    bodies = (
        "The market is closed.",
        "The exchange takes at most 1755 units an order.\nmore",
    )
    alerts = [
        Alert(f"denied:{n}", NOW, Priority.STRATEGY, "denied", f"Denied: BUY {n} TCS", body)
        for n, body in enumerate(bodies)
    ]
    lines = plain(render_digest(alerts, NOW)).splitlines()
    assert lines[0] == "2 denied messages"
    assert lines[2].startswith("The market is closed.")
    assert lines[4].startswith("The exchange takes at most 1755")
    assert all(columns(line) <= WIDTH for line in lines)
    assert len(lines) == 5


# -- quantities, times -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "said"),
    [
        (
            "1950",
            f"quantity=1950 will be refused: the exchange takes at most 1755 of {CONTRACT} in one order.",
        ),
        ("100", f"quantity=100 will be refused: {CONTRACT} trades in lots of 65; try 65."),
        ("1755", ""),
    ],
)
async def test_the_preview_says_which_quantity_will_not_be_taken(
    room: Room, quantity: str, said: str
) -> None:
    shown = await room.typed(f"/start_strategy ema_crossover {CONTRACT} 1m quantity={quantity} ?") or ""
    assert said in shown
    assert ("will be refused" in shown) is bool(said)


def _sent_at_ten(order: Order, changed: datetime) -> Order:
    request: OrderRequest = replace(order.request, at=NOW.replace(hour=10, minute=0))
    return replace(order, request=request, updated_at=changed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [(LATER, "sent 10:00, last change 15:07"), (NOW.replace(hour=10, minute=0), "sent 10:00")],
)
async def test_an_order_shows_when_it_last_changed(room: Room, changed: datetime, said: str) -> None:
    order = _sent_at_ten(an_order("TCS", OrderState.TRIGGER_PENDING), changed)
    room.desk.the_view = replace(room.desk.the_view, orders=(order,))
    assert said in (await room.typed("/orders") or "").splitlines()[-2].strip() + "\n"
    execution = replace(an_execution("TCS", Side.SELL, 66, "3500"), tag=order.tag, at=order.request.at)
    room.desk.executed = [execution]
    room.desk.orders = lambda day=None, limit=1000: _of(order)
    shown = " ".join((await room.typed("/charges order") or "").split())
    assert f"{said}, value" in shown


async def _of(order: Order) -> list[Order]:
    return [order]


@pytest.mark.parametrize(("text", "waits"), [("99999h", False), ("745h", False), ("744h", True)])
async def test_nobody_waits_longer_than_a_month(room: Room, text: str, waits: bool) -> None:
    answer = await room.dispatcher(room.from_terminal(f"/wait {text}"))
    assert answer is not None
    assert bool(room.desk.waits) is waits
    assert ("try 744h" in plain(answer.reply)) is not waits


def test_a_digest_of_fills_is_told_by_their_titles() -> None:
    fills = [Alert(f"fill:{n}", NOW, Priority.FILL, "fill", f"BUY {n} TCS", "ema · 10:15") for n in (1, 2)]
    assert plain(render_digest(fills, NOW)).splitlines() == ["2 fills", "BUY 1 TCS", "BUY 2 TCS"]
