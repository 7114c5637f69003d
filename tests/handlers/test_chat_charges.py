"""What trading costs, as chat tells it: the day's note, order by order, before and after."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from chat_room import VIEWER, Room, seen
from fake_desk import NOW, a_trade, an_execution
from hypothesis import given
from hypothesis import strategies as st

from handlers.message import Pre
from handlers.render.text import WIDTH, columns
from handlers.whatif import Plan, break_even, round_trip
from trader.desk.view import OwnerPnl
from trader.domain.errors import BrokerUnavailable
from trader.domain.funds import Funds
from trader.domain.order import HOUSE, Product, Side
from trader.domain.position import DayResult

D = Decimal
FRIDAY = NOW - timedelta(days=3)


@pytest.fixture
def room() -> Room:
    room = Room()
    room.desk.executed = [
        an_execution("RELIANCE", Side.BUY, 66, "1500.25"),
        an_execution("RELIANCE", Side.SELL, 66, "1512.40", by_broker=True),
        an_execution("TCS", Side.SELL, 20, "3500", held=Product.CNC),
        an_execution("NIFTY 8DEC 26000 CE", Side.BUY, 65, "120.5"),
        an_execution("TCS", Side.BUY, 10, "3400", held=Product.CNC, at=FRIDAY),
    ]
    return room


NOTE = """\
PAPER · charges of Mon 23 Nov 2026
NFO options                  27.12
 Brokerage                   20.00
 Exchange                     2.78
 SEBI fee                     0.01
 Stamp duty                   0.23
 GST                          4.10
NSE equity                  155.22
 Brokerage                   40.00
 STT                         95.00
 Exchange                     8.25
 SEBI fee                     0.27
 Stamp duty                   2.97
 GST                          8.73
Outside the note             74.34
 Depository                  15.34
 RMS fee                     59.00
Total                      ₹256.68
Turnover              ₹2,76,667.40
Charges of turnover        0.093 %
4 executed orders.
1) Refresh  2) By order  3) 20 Nov"""


async def test_the_contract_note_of_today(room: Room) -> None:
    assert await room.typed("/charges") == NOTE


@pytest.mark.parametrize("text", ["/charges 20 Nov", "/charges 2026-11-20", "/charges Fri 20 Nov 2026"])
async def test_the_note_of_another_day(room: Room, text: str) -> None:
    shown = await room.typed(text) or ""
    assert shown.startswith("PAPER · charges of Fri 20 Nov 2026\nNSE equity")
    assert "1 executed order." in shown


async def test_order_by_order_the_sums_lead_to_the_notes_total(room: Room) -> None:
    shown = await room.typed("/charges order") or ""
    figures = {}
    for line in shown.splitlines():
        label, _, figure = line.rpartition(" ")
        figures[label.strip()] = figure
    rows = [figures[row] for row in ("NIFTY26D0826000CE BUY   65", "RELIANCE          BUY   66",
                                     "RELIANCE          SELL  66", "TCS               SELL  20")]  # fmt: skip
    assert sum(map(D, rows)) == D(figures["4 orders"])
    total = D(figures["4 orders"]) + D(figures["Depository"]) + D(figures["Note rounding"])
    assert f"₹{total}" == figures["Total"] == "₹256.68"
    assert "RMS fee 59.00" in " ".join(shown.split())


async def test_a_busy_day_shows_the_latest_orders_and_the_sums_of_all(room: Room) -> None:
    room.desk.executed = [
        replace(an_execution("TCS", Side.BUY, 1, "3500", at=NOW + timedelta(seconds=n)), tag=f"M-{n:04}")
        for n in range(60)
    ]
    shown = await room.typed("/charges order") or ""
    assert "20 earlier orders" in shown
    assert shown.count(" MIS sent ") == 40
    assert "60 orders" in shown


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("/charges 19 Nov", "No executed orders."),
        ("/charges yesterday", "No executed orders: closed, Sunday."),
        ("/charges order 19 Nov", "No executed orders."),
        ("/charges 24 Nov", "lies ahead"),
        ("/charges tomorrow", "lies ahead"),
        ("/charges 31 Feb", "is on no calendar"),
        ("/charges 23-Foo-2026", "is no day; expected a day like"),
        ("/charges 23 Foo", "is no day; expected a day like"),
        ("/charges order soon", "is no day; expected a day like"),
    ],
)
async def test_days_without_a_note(room: Room, text: str, part: str) -> None:
    assert part in (await room.typed(text) or "")


async def test_the_buttons_lead_to_the_orders_and_to_the_day_before(room: Room) -> None:
    note = await room.offered("/charges")
    orders = await room.press(note, "By order")
    assert "Symbol" in (seen(orders) or "")
    assert await room.pressed(orders, "The note") == NOTE
    assert "charges of Fri 20 Nov" in (await room.pressed(await room.offered("/charges"), "20 Nov") or "")


# -- what a trade would cost --------------------------------------------------------------------------

INTRADAY = """\
PAPER · what it would cost
RELIANCE MIS
100 × 1,000.00         1,00,000.00
 Brokerage                   40.00
 STT                         25.00
 Exchange                     6.14
 SEBI fee                     0.20
 Stamp duty                   3.00
 GST                          8.34
Buying and selling          ₹82.68
Pays from a move of          ₹0.90
9 ticks of 0.10            0.090 %
Bought, break-even at     1,000.90
At the rates of Mon 23 Nov 2026, sold the same day. Nothing was ordered."""


async def test_an_intraday_round_trip_of_a_lakh_costs_what_the_worked_example_says(room: Room) -> None:
    assert await room.typed("/charges reliance 100 1000 mis") == INTRADAY
    assert await room.typed("/charges RELIANCE 100 ₹1,000.00") == INTRADAY
    assert room.desk.asked == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("RELIANCE 100 1000 CNC", ("₹237.82", "Depository", "sold on another day")),
        ("RELIANCE 100 1000 mtf", ("Interest and pledge come on top",)),
        ("RELIANCE 100", ("100 × 1,512.40",)),  # at the last price
        ("NIFTY 8DEC 26000 CE 65 100", ("₹62.86", "ticks of 0.05")),
        ("NIFTY DEC FUT 1,300 26100 NRML", ("NIFTY26DECFUT NRML",)),
    ],
)
async def test_other_products_and_contracts(room: Room, text: str, parts: tuple[str, ...]) -> None:
    shown = await room.typed(f"/charges {text}") or ""
    for part in parts:
        assert part in shown


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("RELIANCE", "how many?"),
        ("RELIANS 100 1420", "Did you mean RELIANCE?"),
        ("RELIANCE -100 1420", "quantity is -100: expected a whole number from 1"),
        ("RELIANCE 99999999999 1420", "expected a whole number from 1 to 99,99,99,999"),
        ("RELIANCE 0 1420", "expected a whole number from 1"),
        ("RELIANCE 1.5 1420", "expected a whole number from 1"),
        ("RELIANCE ١٠٠ 1420", "digits 0 to 9"),
        ("RELIANCE 100 -1420", "price is -1420: expected rupees above 0"),
        ("RELIANCE 100 nan", "No product of RELIANCE is called 'nan'"),
        ("RELIANCE 100 ١٤٢٠", "digits 0 to 9"),
        ("RELIANCE 100 1420 BO", "No product of RELIANCE is called 'BO'"),
        ("RELIANCE 100 1420 NRML", "No product of RELIANCE is called 'NRML'"),
        ("NIFTY 8DEC 26000 CE 65 100 CNC", "No product of NIFTY26D0826000CE"),
        ("NIFTY 8DEC 26000 CE 100 100", "trades in lots of 65; try 65"),
        ("NIFTY 65 26000", "is an index"),
        ("RELIANCE 100 1420 MIS CNC", "I don't know what 'CNC' means here"),
        ("RELIANCE 100 1420 1430", "I don't know what '1430' means here"),
        ("SBIN 100", "has no price yet"),
    ],
)
async def test_a_trade_that_cannot_be_meant_is_asked_about(room: Room, text: str, part: str) -> None:
    assert part in (await room.typed(f"/charges {text}") or "")


@given(
    st.integers(1, 10_000),
    st.decimals(D("1"), D("20000"), places=1),
    st.sampled_from([Product.MIS, Product.CNC, Product.MTF]),
)
def test_one_tick_less_than_break_even_loses_and_break_even_does_not(
    quantity: int, price: Decimal, product: Product
) -> None:
    instrument = Room().desk.find("RELIANCE")
    plan = Plan(instrument, quantity, price, product)
    ticks = break_even(plan, NOW)

    def gain(ticks: int) -> Decimal:
        move = ticks * instrument.tick_size
        return move * quantity - round_trip(plan, price + move, NOW).total

    assert gain(ticks) >= 0
    assert gain(ticks - 1) < 0


# -- after the day ------------------------------------------------------------------------------------


async def test_a_trade_shows_gross_charges_and_net_and_so_does_the_total(room: Room) -> None:
    room.desk.the_trades = [a_trade(1, "208.83"), a_trade(2, "-91.10")]
    shown = await room.typed("/trades") or ""
    assert "gross +250.00, charges 41.17" in shown
    assert "gross -49.93, charges 41.17" in shown
    assert [line.split() for line in shown.splitlines()[-3:]] == [
        ["Gross", "+₹200.07"],
        ["Charges", "-₹82.34"],
        ["Net", "+₹117.73"],
    ]


async def test_the_house_bears_the_notes_rounding_and_wins_nothing(room: Room) -> None:
    rounding = OwnerPnl(DayResult(NOW.date(), HOUSE, charges=D("0.31")), D(0))
    room.desk.the_view = replace(room.desk.the_view, by_owner=[*room.desk.the_view.by_owner, rounding])
    shown = await room.typed("/pnl") or ""
    assert "house" not in shown
    assert "note rounding     " in shown
    line = next(line for line in shown.splitlines() if line.startswith("note rounding"))
    assert line.split() == ["note", "rounding", "-0.31"]


FUNDS = """\
PAPER · funds at 10:15:02
Cash                  ₹1,00,350.08
Available               ₹61,250.40
Used                    ₹39,099.68
Receivable              ₹70,000.00
 settles           Wed 25 Nov 2026
1) Refresh"""


async def test_funds_say_what_is_owed_and_when_it_comes(room: Room) -> None:
    room.desk.the_funds = Funds(D("100350.08"), D("61250.40"), D("39099.68"), D("70000"), date(2026, 11, 25))
    assert await room.typed("/funds", VIEWER) == FUNDS


async def test_a_broker_that_does_not_answer_is_said_to_be_silent(room: Room) -> None:
    room.desk.the_funds = BrokerUnavailable("no answer within 7 s")
    assert "no answer within 7 s" in (await room.typed("/funds") or "")


@pytest.mark.parametrize(
    "text", ["/charges", "/charges order", "/charges TCS 5 99999.95", "/funds", "/trades"]
)
async def test_all_of_it_fits_a_phone(room: Room, text: str) -> None:
    room.desk.the_trades = [a_trade(1, "1234567.83")]
    tables = [b for b in (await room.offered(text)).reply.blocks if isinstance(b, Pre)]
    assert tables
    assert all(columns(line) <= WIDTH for table in tables for line in table.text.splitlines())
