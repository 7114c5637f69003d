"""What holds of charges for any orders: sums, signs, order, and the unit-by-unit truth of netting."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from trader.domain.instrument import Exchange, InstrumentKey, Segment
from trader.domain.order import Product, Side
from trader.domain.times import IST
from trader.market.charges import Breakdown, Charges, Executed

CHARGES = Charges.load()
ZERO = Decimal(0)
PAISA = Decimal("0.01")
LINES = [field.name for field in fields(Breakdown)]


@dataclass(frozen=True)
class Traded:
    key: str
    exchange: Exchange
    segment: Segment
    underlying: str
    products: tuple[Product, ...]


SHARE = (Product.CNC, Product.MIS, Product.MTF)
CONTRACT = (Product.NRML, Product.MIS)
MARKET = [
    Traded("NSE:A", Exchange.NSE, Segment.EQUITY, "", SHARE),
    Traded("NSE:B", Exchange.NSE, Segment.EQUITY, "", SHARE),
    Traded("BSE:A", Exchange.BSE, Segment.EQUITY, "", SHARE),
    Traded("NFO:F", Exchange.NFO, Segment.FUTURES, "NIFTY", CONTRACT),
    Traded("NFO:P", Exchange.NFO, Segment.OPTIONS, "NIFTY", CONTRACT),
    Traded("BFO:C", Exchange.BFO, Segment.OPTIONS, "SENSEX", CONTRACT),
]
days = st.dates(date(2012, 1, 2), date(2027, 12, 31))
prices = st.decimals(Decimal("0.05"), Decimal(5000), places=2)
fills = st.lists(st.tuples(st.integers(1, 300), prices), min_size=1, max_size=4)


@st.composite
def orders(draw: st.DrawFn, market: Sequence[Traded] = MARKET, product: Product | None = None) -> Executed:
    """An order of which nothing is executed yet; its tag and its place in the day are set by the day."""
    traded = draw(st.sampled_from(market))
    return Executed(
        tag="",
        key=InstrumentKey(traded.key),
        exchange=traded.exchange,
        segment=traded.segment,
        underlying=traded.underlying,
        product=product or draw(st.sampled_from(traded.products)),
        side=draw(st.sampled_from(list(Side))),
        quantity=0,
        value=ZERO,
        at=datetime(2026, 11, 23, tzinfo=IST),
        by_broker=draw(st.booleans()) and draw(st.booleans()),
    )


def placed(blank: Executed, number: int, on: date) -> Executed:
    at = datetime.combine(on, time(9, 15), IST) + timedelta(seconds=number // 2)  # some at the same second
    return replace(blank, tag=f"M{number:03}", at=at)


def filled(order: Executed, fill: tuple[int, Decimal]) -> Executed:
    quantity, price = fill
    return replace(order, quantity=order.quantity + quantity, value=order.value + quantity * price)


@st.composite
def executions(draw: st.DrawFn) -> tuple[date, list[tuple[Executed | None, Executed]]]:
    """A day of up to eight orders whose fills come in any order: each order before and after."""
    on = draw(days)
    plan = draw(st.lists(st.tuples(orders(), fills), min_size=1, max_size=8))
    now = [placed(blank, n, on) for n, (blank, _) in enumerate(plan)]
    queue = [deque(parts) for _, parts in plan]
    turns = draw(st.permutations([n for n, parts in enumerate(queue) for _ in parts]))
    steps: list[tuple[Executed | None, Executed]] = []
    for n in turns:
        after = filled(now[n], queue[n].popleft())
        steps.append((now[n] if now[n].quantity else None, after))
        now[n] = after
    return on, steps


def booked(steps: Sequence[tuple[Executed | None, Executed]]) -> tuple[Decimal, dict[str, Executed]]:
    """What the desk books, execution by execution, and the orders as they ended."""
    total, book = ZERO, dict[str, Executed]()
    for before, after in steps:
        others = [o for o in book.values() if o.key == after.key and o.tag != after.tag]
        total += CHARGES.added(before, after, others)
        book[after.tag] = after
    return total, book


@given(executions())
def test_what_a_days_executions_added_is_what_its_orders_cost(
    day: tuple[date, list[tuple[Executed | None, Executed]]],
) -> None:
    on, steps = day
    total, book = booked(steps)
    note = CHARGES.day(list(book.values()))
    assert note.day == on
    assert total == sum((lines.total for _, lines in note.orders), ZERO) + note.ledger.dp
    assert note.rounding(total) == note.total - total
    assert abs(note.rounding(total)) <= note.rounding_bound


@given(executions(), st.data())
def test_a_note_does_not_depend_on_the_order_in_which_it_is_told(
    day: tuple[date, list[tuple[Executed | None, Executed]]], data: st.DataObject
) -> None:
    book = list(booked(day[1])[1].values())
    assert CHARGES.day(data.draw(st.permutations(book))) == CHARGES.day(book)


@given(executions())
def test_a_note_is_in_whole_paise_its_stt_in_rupees_and_nothing_is_negative(
    day: tuple[date, list[tuple[Executed | None, Executed]]],
) -> None:
    note = CHARGES.day(list(booked(day[1])[1].values()))
    for lines in [*note.segments.values(), note.ledger, *(b for _, b in note.orders)]:
        for name in LINES:
            amount = getattr(lines, name)
            assert amount >= 0
            assert amount == amount.quantize(PAISA), name
    assert all(lines.stt == lines.stt.quantize(Decimal(1)) for lines in note.segments.values())


@given(orders(), days, fills, fills)
def test_an_order_is_never_cheaper_for_being_larger(
    blank: Executed, on: date, fewer: list[tuple[int, Decimal]], more: list[tuple[int, Decimal]]
) -> None:
    small = placed(blank, 1, on)
    for fill in fewer:
        small = filled(small, fill)
    large = small
    for fill in more:
        large = filled(large, fill)
    less, greater = CHARGES.order(small), CHARGES.order(large)
    for name in LINES:
        assert 0 <= getattr(less, name) <= getattr(greater, name), name


@given(orders(), days, fills)
def test_an_order_alone_costs_the_same_in_one_fill_or_in_many(
    blank: Executed, on: date, parts: list[tuple[int, Decimal]]
) -> None:
    before: Executed | None = None
    order, total = placed(blank, 1, on), ZERO
    for part in parts:
        order = filled(order, part)
        total += CHARGES.added(before, order, [])
        before = order
    assert total == CHARGES.added(None, order, [])
    note = CHARGES.day([order])
    assert total == CHARGES.order(order).total + note.ledger.dp


@given(
    st.lists(st.tuples(orders(MARKET[:1], Product.CNC), st.integers(1, 40), prices), min_size=1, max_size=8)
)
def test_netting_is_the_same_as_matching_unit_by_unit(
    plan: list[tuple[Executed, int, Decimal]],
) -> None:
    on = date(2026, 11, 23)
    book = [filled(placed(blank, n, on), (units, price)) for n, (blank, units, price) in enumerate(plan)]
    singles = {
        side: [
            (price, n)
            for n, (blank, units, price) in enumerate(plan)
            if blank.side is side
            for _ in range(units)
        ]
        for side in Side
    }
    pairs = min(len(units) for units in singles.values())
    stt, stamp, intraday = ZERO, ZERO, dict[int, Decimal]()
    for side, units in singles.items():
        for place, (price, n) in enumerate(units):
            if place < pairs:
                intraday[n] = intraday.get(n, ZERO) + price
                stt += price * Decimal("0.00025") if side is Side.SELL else ZERO
                stamp += price * Decimal("0.00003") if side is Side.BUY else ZERO
            else:
                stt += price * Decimal("0.001")
                stamp += price * Decimal("0.00015") if side is Side.BUY else ZERO
    brokerage = sum((min(Decimal(20), value * Decimal("0.0003")) for value in intraday.values()), ZERO)
    note = CHARGES.day(book)
    lines = note.segments["NSE equity"]
    assert lines.stt == stt.quantize(Decimal(1), ROUND_HALF_UP)
    assert lines.stamp == stamp.quantize(PAISA, ROUND_HALF_UP)
    assert lines.brokerage == brokerage.quantize(PAISA, ROUND_HALF_UP)
    delivered = len(singles[Side.SELL]) > len(singles[Side.BUY])
    assert note.ledger.dp == (Decimal("15.34") if delivered else 0)
