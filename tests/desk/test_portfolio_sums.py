"""A position is the sum of its fills, to the paisa, whoever's it is and however often we restarted."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from samples import fill
from world import OURS, REL, TCS

from trader.desk.portfolio import Portfolio, Slot
from trader.domain.money import ZERO
from trader.domain.order import EXTERNAL, Owner, Product, Side
from trader.domain.position import Fill, Position, Trade

DAY = date(2026, 11, 23)
PAISA = Decimal("0.01")
OTHER = Owner("other")


@st.composite
def fills(draw: st.DrawFn, owners: tuple[Owner, ...] = (OURS,)) -> list[Fill]:
    """Few sizes, so that positions often end exactly flat."""
    made = []
    second = 0
    for number in range(1, draw(st.integers(1, 14)) + 1):
        second += draw(st.integers(0, 1))  # exchange time has whole seconds: fills share them
        made.append(
            fill(
                number,
                draw(st.sampled_from(Side)),
                draw(st.sampled_from([10, 20, 30, 7])),
                f"{draw(st.integers(9000, 11000))}.{draw(st.sampled_from(['05', '10', '3333']))}",
                charges=f"{draw(st.integers(0, 60))}.{draw(st.integers(10, 99))}",
                owner=draw(st.sampled_from(owners)),
                key=draw(st.sampled_from([REL, TCS])),
                seconds=second,
            )
        )
    return made


def booked(portfolio: Portfolio, some: list[Fill]) -> list[Trade]:
    return [trade for f in some if (trade := portfolio.book(f, DAY).trade) is not None]


@given(fills())
def test_a_position_is_the_sum_of_its_fills(some: list[Fill]) -> None:
    portfolio = Portfolio()
    booked(portfolio, some)
    for key in (REL, TCS):
        mine = [f for f in some if f.key == key]
        position = portfolio.position(Slot(OURS, key, Product.MIS))
        assert position.quantity == sum(f.quantity * f.side.sign for f in mine)
        assert position.charges == sum((f.charges for f in mine), ZERO)
        # Cash in and out, plus what is still held at its average, is what was realised.
        cash = sum((-f.value * f.side.sign for f in mine), ZERO)
        assert abs(position.realised - (cash + position.average_price * position.quantity)) < PAISA
        assert (position.opened_at is None) == (position.quantity == 0)


@given(fills())
def test_round_trips_add_up_to_what_was_realised(some: list[Fill]) -> None:
    portfolio = Portfolio()
    trades = booked(portfolio, some)
    for key in (REL, TCS):
        position = portfolio.position(Slot(OURS, key, Product.MIS))
        if position.quantity:
            continue
        mine = [t for t in trades if t.key == key]
        assert abs(sum((t.pnl for t in mine), ZERO) - position.realised) < PAISA
        assert abs(sum((t.charges for t in mine), ZERO) - position.charges) < PAISA


@given(fills(), st.data())
def test_a_restart_between_any_two_fills_makes_the_same_trades(some: list[Fill], data: st.DataObject) -> None:
    whole = Portfolio()
    uninterrupted = booked(whole, some)
    cut = data.draw(st.integers(0, len(some)))
    first, second = Portfolio(), Portfolio()
    trades = booked(first, some[:cut])
    opened = [p.opened_at for p in first.open_positions() if p.opened_at is not None]
    since = [f for f in some[:cut] if opened and f.at >= min(opened)]
    second.restore(first.all_positions(), since, first.day_results())
    trades += booked(second, some[cut:])
    assert [_figures(t) for t in trades] == [_figures(t) for t in uninterrupted]
    assert list(second.all_positions()) == list(whole.all_positions())
    assert second.day_results() == whole.day_results()


def _figures(trade: Trade) -> tuple[object, ...]:
    """The id is the first fill's, which two fills of one second may share the place of."""
    return (
        trade.key, trade.side, trade.quantity, round(trade.entry_price, 6), round(trade.exit_price, 6),
        trade.exit_at, round(trade.pnl, 6), round(trade.charges, 6),
    )  # fmt: skip


@given(fills(owners=(OURS, OTHER, EXTERNAL)))
def test_everybodys_positions_sum_to_the_accounts_net(some: list[Fill]) -> None:
    portfolio = Portfolio()
    booked(portfolio, some)
    net: defaultdict[tuple[str, Product], int] = defaultdict(int)
    for f in some:
        net[f.key, f.product] += f.quantity * f.side.sign
    ours = portfolio.net()
    assert {at: n for at, n in ours.items() if n} == {at: n for at, n in net.items() if n}


def test_a_fill_through_zero_ends_one_trade_and_begins_the_next() -> None:
    portfolio = Portfolio()
    trades = booked(
        portfolio,
        [
            fill(1, Side.BUY, 10, "100", charges="1"),
            fill(2, Side.SELL, 30, "110", charges="3"),
            fill(3, Side.BUY, 20, "105", charges="2"),
        ],
    )
    assert [(t.side, t.quantity, t.pnl, t.charges) for t in trades] == [
        (Side.BUY, 10, Decimal(100), Decimal(2)),
        (Side.SELL, 20, Decimal(100), Decimal(4)),
    ]
    assert portfolio.position(Slot(OURS, REL, Product.MIS)).realised == Decimal(200)


def test_an_adopted_position_that_is_closed_makes_an_honest_trade() -> None:
    portfolio = Portfolio()
    opened = fill(1, Side.BUY, 1, "1").at
    portfolio.adopt(
        Position(EXTERNAL, REL, Product.MIS, 100, Decimal(50), opened_at=opened, updated_at=opened)
    )
    trades = booked(
        portfolio,
        [
            fill(2, Side.BUY, 100, "70", owner=EXTERNAL),
            fill(3, Side.SELL, 200, "65", owner=EXTERNAL),
        ],
    )
    assert [(t.quantity, t.pnl) for t in trades] == [(200, Decimal(1000))]
