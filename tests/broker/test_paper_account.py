"""The paper account's money: what it has, what it may use, and when the rest comes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.broker.approvals import approved
from tests.broker.paperhouse import (
    AUCTIONED,
    CALENDAR,
    FUTURE,
    OPTION,
    OTHER,
    STOCK,
    Bench,
    listed,
    opened_with,
    trades,
)
from trader.broker.paper.account import Account
from trader.broker.paper.journal import PaperExecution
from trader.domain.errors import OrderRefused
from trader.domain.funds import Funds, Holding
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Tick
from trader.domain.order import BrokerStatus, OrderId, OrderType, OrderUpdate, Product, Side, Tag
from trader.domain.times import IST
from trader.market.charges import Charges
from trader.market.margins import Margins

BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, SL = OrderType.MARKET, OrderType.LIMIT, OrderType.SL
MIS, CNC, NRML, MTF = Product
COMPLETE = BrokerStatus.COMPLETE
MON, WED, THU, FRI = (date(2026, 11, day) for day in (23, 25, 26, 27))  # the 24th is a holiday
CHARGES, MARGINS = Charges.load(), Margins.load()


def rupees(text: str) -> Decimal:
    return Decimal(text)


# -- the golden days, written by hand with the rates of india.md 3.1 -------------------------------------


async def test_four_days_of_an_account_to_the_paisa() -> None:
    bench = await opened_with(500_000)
    # Monday: 1,000 shares for delivery at 100. STT 100, exchange 3.07, SEBI 0.10, stamp 15, GST 0.57: 118.74
    await trades(bench, STOCK.key, BUY, 1000, CNC)
    paid = rupees("399881.26")
    assert await bench.broker.funds() == Funds(cash=paid, available=paid)
    # Wednesday is T+1: the shares are not there yet (BTST), what they bring can be used on Thursday. Sold at
    # 110: STT 110, exchange 3.38, SEBI 0.11, GST 0.63, and 15.34 to the depository: 129.46
    await bench.go_to_day(WED)
    assert await bench.broker.holdings() == [Holding(STOCK.key, 0, 1000, Decimal(100))]
    await trades(bench, STOCK.key, SELL, 1000, CNC, 110.0)
    sold = rupees("399751.80")
    assert await bench.broker.funds() == Funds(sold, sold, receivable=Decimal(110_000), settles_on=THU)
    assert not await bench.broker.holdings()
    # Thursday: 100 sold short at 200, a fifth of it blocked. Brokerage 6, STT 5, exchange 0.61, SEBI 0.02,
    # GST 1.19: 12.82
    await bench.go_to_day(THU)
    assert await bench.broker.funds() == Funds(rupees("509751.80"), rupees("509751.80"))
    await trades(bench, STOCK.key, SELL, 100, MIS, 200.0)
    assert await bench.broker.funds() == Funds(rupees("509738.98"), rupees("505738.98"), used=Decimal(4000))
    # Bought back at 190: 1,000 gained, to come on Friday. The note of both: brokerage 11.70, STT 5, exchange
    # 1.20, SEBI 0.04, stamp 0.57, GST 2.33: 20.84
    await trades(bench, STOCK.key, BUY, 100, MIS, 190.0)
    left = rupees("509730.96")
    assert await bench.broker.funds() == Funds(left, left, receivable=Decimal(1000), settles_on=FRI)
    await bench.go_to_day(FRI)
    assert (await bench.broker.funds()).available == rupees("510730.96")


# -- when money comes ------------------------------------------------------------------------------------


class Books:
    """An account fed by hand."""

    def __init__(self, cash: int = 1_000_000) -> None:
        self.opening = Decimal(cash)
        self.account = Account(self.opening, CALENDAR, CHARGES, MARGINS, listed)
        self.fed: list[tuple[OrderUpdate, PaperExecution]] = []

    def trade(
        self, day: date, key: InstrumentKey, side: Side, units: int, product: Product, price: str | int
    ) -> None:
        n = len(self.fed) + 1
        at = datetime.combine(day, time(10), IST) + timedelta(seconds=n)
        order = OrderUpdate(
            OrderId(f"{n:019d}"), Tag(f"t{n}"), key, side, product, MARKET, COMPLETE, units, units,
            Decimal(price), at,
        )  # fmt: skip
        execution = PaperExecution(f"{n}", order.order_id, units, Decimal(price), at)
        self.account.add(order, execution)
        self.fed.append((order, execution))

    def on(self, day: date) -> tuple[Decimal, Decimal, date | None]:
        """Cash and receivable before charges of the whole account so far, and when the latter is usable."""
        statement = self.account.statement(day)
        return statement.cash + self.charges() - self.opening, statement.receivable, statement.owed_on

    def charges(self) -> Decimal:
        """Of all days, by a second account that is asked day by day."""
        other = Account(self.opening, CALENDAR, CHARGES, MARGINS, listed)
        total, days = Decimal(0), sorted({e.at.date() for _, e in self.fed})
        for day in days:
            for order, execution in self.fed:
                if execution.at.date() == day:
                    other.add(order, execution)
            total += other.note(day).total
        return total


def days_of_march() -> tuple[date, ...]:
    """Tuesday to Monday around Thursday 19 March 2026, on which the banks were closed and the market open."""
    return tuple(date(2026, 3, day) for day in (17, 18, 19, 20, 23))


def test_a_gain_is_usable_once_settled_and_a_bank_holiday_delays_it() -> None:
    tue, wed, thu, fri, _ = days_of_march()
    books = Books()
    books.trade(wed, STOCK.key, BUY, 100, MIS, 100)
    books.trade(wed, STOCK.key, SELL, 100, MIS, 110)
    assert books.on(wed) == (0, 1000, fri)
    assert books.on(thu) == (0, 1000, fri)
    assert books.on(fri) == (1000, 0, None)
    books = Books()
    books.trade(tue, STOCK.key, BUY, 100, MIS, 100)
    books.trade(tue, STOCK.key, SELL, 100, MIS, 110)
    assert books.on(wed) == (1000, 0, None)


def test_a_loss_leaves_at_once_and_the_days_gains_are_set_against_it() -> None:
    books = Books()
    books.trade(MON, STOCK.key, BUY, 100, MIS, 100)
    books.trade(MON, STOCK.key, SELL, 100, MIS, 90)
    assert books.on(MON) == (-1000, 0, None)
    books.trade(MON, FUTURE.key, SELL, 65, NRML, 100)
    books.trade(MON, FUTURE.key, BUY, 65, NRML, 80)
    assert books.on(MON) == (0, 300, WED)


def test_what_is_bought_one_day_and_sold_the_next_is_usable_the_day_after_even_if_banks_are_closed() -> None:
    tue, wed, thu, fri, _ = days_of_march()
    books = Books()
    books.trade(tue, STOCK.key, BUY, 100, CNC, 100)
    books.trade(wed, STOCK.key, SELL, 100, CNC, 120)
    assert books.on(wed) == (-10_000, 12_000, thu)
    assert books.on(thu) == (2000, 0, None)
    assert books.account.statement(thu).settled < books.opening - 10_000  # but it is settled a day later
    assert books.account.statement(thu).usable == 12_000
    assert books.account.statement(fri).usable == 0
    assert books.on(fri) == (2000, 0, None)


def test_settled_shares_bring_money_that_can_be_used_at_once_and_is_settled_on_the_next_day() -> None:
    tue, _, _, fri, mon = days_of_march()
    books = Books()
    books.trade(tue, STOCK.key, BUY, 100, CNC, 100)
    books.trade(fri, STOCK.key, SELL, 100, CNC, 120)
    assert books.on(fri) == (2000, 0, None)
    assert books.account.statement(fri).usable == 12_000
    assert books.account.statement(mon).usable == 0
    assert books.on(mon) == (2000, 0, None)


def test_before_october_2024_a_fifth_of_it_waited_for_settlement() -> None:
    books = Books()
    books.trade(date(2024, 9, 9), STOCK.key, BUY, 100, CNC, 100)
    books.trade(date(2024, 9, 12), STOCK.key, SELL, 100, CNC, 100)
    assert books.on(date(2024, 9, 12)) == (-2000, 2000, date(2024, 9, 13))
    assert books.on(date(2024, 9, 13)) == (0, 0, None)


def test_shares_bought_over_a_bank_holiday_are_delivered_late() -> None:
    _, wed, thu, fri, mon = days_of_march()
    books = Books()
    books.trade(wed, STOCK.key, BUY, 100, CNC, 100)
    for day, settled in ((thu, 0), (fri, 0), (mon, 100)):
        assert books.account.holdings(day) == [Holding(STOCK.key, settled, 100 - settled, Decimal(100))]
    books.trade(mon, STOCK.key, SELL, 40, CNC, 100)
    assert books.account.holdings(mon) == [Holding(STOCK.key, 60, 0, Decimal(100))]


def test_old_shares_are_sold_before_new_ones() -> None:
    tue, _, thu, fri, mon = days_of_march()
    books = Books()
    books.trade(tue, STOCK.key, BUY, 100, CNC, 100)
    books.trade(thu, STOCK.key, BUY, 100, CNC, 200)
    assert books.account.holdings(fri) == [Holding(STOCK.key, 100, 100, Decimal(150))]
    books.trade(fri, STOCK.key, SELL, 150, CNC, 300)
    assert books.on(fri) == (0, 15_000, mon)  # 30,000 spent, 30,000 of the sale usable
    assert books.account.holdings(fri) == [Holding(STOCK.key, 0, 50, Decimal(200))]


def test_delivery_bought_and_sold_on_one_day_is_intraday() -> None:
    books = Books()
    books.trade(MON, STOCK.key, BUY, 100, CNC, 100)
    books.trade(MON, STOCK.key, SELL, 100, CNC, 110)
    assert books.on(MON) == (0, 1000, WED)
    books.trade(MON, STOCK.key, BUY, 50, CNC, 110)
    average = Decimal("103.3334")  # of all that was bought: 15,500 for 150, a third to the paisa
    assert books.account.holdings(WED) == [Holding(STOCK.key, 0, 50, average)]
    assert books.account.note(WED).total == 0


def test_a_premium_received_pays_for_options_only_until_it_is_settled() -> None:
    books = Books(10_000)
    books.trade(MON, OPTION.key, SELL, 65, NRML, 100)
    assert books.on(MON) == (0, 6500, WED)
    books.trade(MON, OPTION.key, BUY, 65, NRML, 60)
    assert books.on(MON) == (0, 2600, WED)  # paid from it
    books.trade(MON, OPTION.key, BUY, 65, NRML, 60)
    assert books.on(MON) == (-1300, 0, None)  # and beyond it from cash
    assert books.on(WED) == (-1300, 0, None)


async def test_a_premium_paid_is_released_when_the_option_is_sold_on_the_same_day() -> None:
    bench = await opened_with(100_000)
    # 65 bought at 163.55, 10,630.75. Brokerage 20, exchange 3.78 (0.03553 %), SEBI 0.01, stamp 0.32, GST 4.28
    await trades(bench, OPTION.key, BUY, 65, NRML, 163.55)
    paid = rupees("89340.86")
    assert await bench.broker.funds() == Funds(paid, paid)
    # Sold at 161.50, 10,497.50: 133.25 were lost, nothing is on its way. The note of both: brokerage 40,
    # STT 16, exchange 7.51, SEBI 0.02, stamp 0.32, GST 8.54
    await trades(bench, OPTION.key, SELL, 65, NRML, 161.5)
    left = rupees("99794.36")
    assert await bench.broker.funds() == Funds(left, left)


def test_of_a_days_premiums_only_what_is_received_beyond_those_paid_is_on_its_way() -> None:
    for first, second in ((BUY, SELL), (SELL, BUY)):
        prices = {BUY: 100, SELL: 120}
        books = Books(10_000)
        books.trade(MON, OPTION.key, first, 65, NRML, prices[first])
        books.trade(MON, OPTION.key, second, 65, NRML, prices[second])
        assert books.on(MON) == (0, 1300, WED)
        assert books.on(WED) == (1300, 0, None)


def test_what_is_bought_with_the_days_sale_leaves_the_settled_money_alone() -> None:
    tue, _, _, fri, _ = days_of_march()
    books = Books(10_100)
    books.trade(tue, STOCK.key, BUY, 100, CNC, 100)
    books.trade(fri, STOCK.key, SELL, 100, CNC, 100)
    books.trade(fri, OTHER.key, BUY, 95, CNC, 100)
    statement = books.account.statement(fri)
    assert statement.settled == 0
    assert 0 < statement.usable < 600


# -- whatever happens ------------------------------------------------------------------------------------

Deal = tuple[int, InstrumentKey, Side, int, Product, int]  # days passed, what, how many, at what price

deals = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 2]),
        st.sampled_from([
            (STOCK.key, 1, MIS), (STOCK.key, 1, CNC), (OTHER.key, 1, CNC), (AUCTIONED.key, 1, MTF),
            (FUTURE.key, 65, NRML), (FUTURE.key, 65, MIS), (OPTION.key, 65, NRML),
        ]),
        st.sampled_from(Side),
        st.integers(1, 300),
        st.integers(1, 40_000),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(deals, st.sampled_from([date(2024, 9, 30), date(2026, 3, 16), date(2026, 11, 20)]))
def test_no_rupee_appears_or_vanishes(script, day: date) -> None:
    """Cash and what is owed are the opening balance, what trades brought less what they cost, and the cost
    of positions on margin, which nothing was paid for; less all charges."""
    books = Books()
    held: dict[InstrumentKey, int] = defaultdict(int)
    nets: dict[tuple, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    flows = Decimal(0)
    for days, (key, lot, product), side, lots, paise in script:
        for _ in range(days):
            day = CALENDAR.next_trading_day(day)
        units, price = lots * lot, Decimal(paise) * 5 / 100
        if product is CNC and side is SELL:
            units = min(units, held[key])
        if units == 0:
            continue
        if product is CNC:
            held[key] += units * side.sign
        books.trade(day, key, side, units, product, price)
        flows -= units * price * side.sign
        if product is not CNC and key != OPTION.key:
            _average_cost(nets[key, product], units * side.sign, price)
        margin_cost = sum((cost for _, cost in nets.values()), Decimal(0))
        statement = books.account.statement(day)
        total = statement.cash + statement.receivable
        assert abs(total - (books.opening + flows + margin_cost - books.charges())) < Decimal("0.000001")
        assert statement.receivable >= 0
        assert books.account.least(day).cash <= statement.cash
    for _ in range(4):
        day = CALENDAR.next_trading_day(day)
    late = books.account.statement(day)
    assert late.receivable == late.usable == 0  # all of it has come


def _average_cost(net: list[Decimal], signed: int, price: Decimal) -> None:
    """Units, and what they cost, negative for a short: at average cost."""
    units, cost = net
    closing = units * signed < 0
    closed = min(abs(units), Decimal(abs(signed))) if closing else Decimal(0)
    if closed:
        cost -= cost * closed / abs(units)
    opened = (abs(signed) - closed) * (1 if signed > 0 else -1)
    net[:] = [units + signed, cost + opened * price]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(
    st.sampled_from([(STOCK.key, 1, MIS), (STOCK.key, 1, CNC), (OTHER.key, 1, MTF), (FUTURE.key, 65, NRML),
                     (OPTION.key, 65, MIS)]),
    st.sampled_from(Side),
    st.integers(1, 40),
    st.sampled_from([(MARKET, {}), (LIMIT, {"limit": 95}), (LIMIT, {"limit": 105}),
                     (SL, {"trigger": 105, "limit": 106}), (SL, {"trigger": 95, "limit": 94})]),
    st.booleans(),
), max_size=20))  # fmt: skip
def test_taking_an_order_never_makes_the_account_richer(script) -> None:
    async def scenario() -> None:
        bench = await opened_with(60_000)
        keys = (STOCK.key, OTHER.key, FUTURE.key, OPTION.key)
        for (key, lot, product), side, lots, (kind, prices), then_trades in script:
            bench.clock.at += timedelta(seconds=1)
            before = await bench.broker.funds()
            try:
                await bench.broker.place(approved(key, side, lot * lots, kind, product=product, **prices))
            except OrderRefused:
                continue
            after = await bench.broker.funds()
            assert after.available <= before.available
            assert after.cash == before.cash
            assert after.available == after.cash - after.used
            if then_trades:
                for quoted in keys:
                    await bench.trade_at(100.0, key=quoted)
        known = await bench.broker.funds()
        await bench.restart()
        for quoted in keys:  # the price of resting market orders
            bench.broker._pit.remember([_quote(bench, quoted)])
        assert await bench.broker.funds() == known

    asyncio.run(scenario())


def _quote(bench: Bench, key: InstrumentKey) -> Tick:
    return Tick(key, bench.clock.at - timedelta(days=1), 100.0)
