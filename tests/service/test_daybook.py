"""What the owner reads before the opening, behind the close and at the week's end, word for word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from trader.desk import orders
from trader.desk.costs import executed_on
from trader.desk.daybook import Daybook
from trader.desk.daytext import WIDTH, fold
from trader.desk.effects import Write
from trader.desk.events import CheckLine, Job, JobDue
from trader.desk.portfolio import Slot
from trader.desk.state import DeskConfig, DeskState, RiskLimits, Turn
from trader.domain.instrument import Exchange, Instrument, InstrumentKey, OptionType, Segment
from trader.domain.market import Tick
from trader.domain.money import ZERO
from trader.domain.order import (
    EXTERNAL,
    HOUSE,
    Order,
    OrderId,
    OrderRequest,
    OrderState,
    OrderType,
    Owner,
    Product,
    Purpose,
    Side,
    Tag,
)
from trader.domain.position import DayResult, Fill, Position
from trader.domain.records import (
    Alert,
    DeskMode,
    ExitPlan,
    InstanceStatus,
    Latch,
    Priority,
    RiskCounters,
    Setting,
)
from trader.domain.times import IST
from trader.market.calendar import Calendar
from trader.market.charges import Charges
from trader.market.instruments import Instruments
from trader.market.margins import Margins
from trader.strategy.catalogue import Catalogue

MONDAY, FRIDAY = date(2026, 11, 23), date(2026, 11, 27)
RELIANCE, CALL = InstrumentKey("NSE:RELIANCE"), InstrumentKey("NFO:NIFTY26NOV26000CE")
EMA, RSI = Owner("ema_crossover"), Owner("rsi_mean_reversion")
SHELL = (
    CheckLine("Broker", True, "paper account"),
    CheckLine("Instruments", True, "42 of 23 Nov"),
    CheckLine("Funds", True, "₹1,00,000 free"),
)
LISTED = (
    Instrument(Exchange.NSE, "RELIANCE", 1, Decimal("0.10"), derivatives=True),
    Instrument(
        Exchange.NFO,
        "NIFTY26NOV26000CE",
        2,
        Decimal("0.05"),
        lot_size=65,
        segment=Segment.OPTIONS,
        underlying="NIFTY",
        expiry=MONDAY,  # Tuesday is a holiday
        strike=Decimal(26000),
        option_type=OptionType.CALL,
    ),
)


class Book:
    """A desk's state on a day, and its daybook."""

    def __init__(self, day: date = MONDAY) -> None:
        self.day = day
        self.state = DeskState(
            DeskConfig(RiskLimits()),
            Instruments(LISTED),
            Calendar.load(),
            Charges.load(),
            Margins.load(),
            Catalogue({}, {}),
            latch=Latch(DeskMode.ACTIVE, "", "trading", self.at("08:00"), "start-up"),
            counters=RiskCounters(day, peak_equity=Decimal(100_000)),
        )
        self.daybook = Daybook(self.state)
        self.records: list[object] = []

    def at(self, clock: str) -> datetime:
        return datetime.fromisoformat(f"{self.day}T{clock}").replace(tzinfo=IST)

    def run(
        self, job: Job, lines: Sequence[CheckLine] = SHELL, week: Sequence[DayResult] = ()
    ) -> Alert | None:
        turn = Turn(self.at("15:45"))
        self.daybook.on_job(turn, JobDue(turn.at, job, self.day, lines, week))
        assert all(isinstance(effect, Write) for effect in turn.effects)
        written = [effect.record for effect in turn.effects if isinstance(effect, Write)]
        self.records += written
        (alert,) = [record for record in written if isinstance(record, Alert)] or [None]
        return alert

    def text(self, job: Job, lines: Sequence[CheckLine] = SHELL, week: Sequence[DayResult] = ()) -> str:
        alert = self.run(job, lines, week)
        assert alert is not None
        text = f"{alert.title}\n{alert.body}"
        assert [line for line in text.splitlines() if len(line) > WIDTH] == []
        return text

    def order(self, number: int, side: Side, quantity: int, price: str, state: OrderState) -> Order:
        tag, at = Tag(f"T{number}"), self.at("10:00") + timedelta(minutes=number)
        request = OrderRequest(
            tag, EMA, RELIANCE, side, quantity, OrderType.MARKET, Product.MIS, Purpose.ENTRY, at
        )
        order = replace(orders.intent(request), state=state, order_id=OrderId(str(number)))
        if state is OrderState.FILLED:
            order = replace(order, filled_quantity=quantity, average_price=Decimal(price))
        self.state.orders[tag] = order
        return order

    def fill(
        self, number: int, side: Side, quantity: int, price: str, *, decided: str, owner: Owner = EMA
    ) -> None:
        """An order executed and booked, as Booking does it."""
        order = self.order(number, side, quantity, price, OrderState.FILLED)
        (executed,) = [
            row for row in executed_on(self.state, self.state.counters.day) if row.tag == order.tag
        ]
        charges = self.state.charges.added(None, executed, ())
        fill = Fill(
            f"{order.tag}:{quantity}", order.tag, OrderId(str(number)), owner, RELIANCE, side,
            Product.MIS, Purpose.ENTRY, quantity, Decimal(price), charges, order.request.at, Decimal(decided),
        )  # fmt: skip
        booked = self.state.portfolio.book(fill, self.day)
        net = booked.realised - charges
        counters = self.state.counters
        self.state.counters = replace(
            counters, booked=counters.booked + net, booked_today=counters.booked_today + net
        )

    def hold(self, key: InstrumentKey, quantity: int, owner: Owner = EMA, stop: str | None = None) -> None:
        product = Product.NRML if key == CALL else Product.CNC
        opened = self.at("10:00") - timedelta(days=3)
        position = Position(owner, key, product, quantity, Decimal(1200), opened_at=opened)
        self.state.portfolio.adopt(position)
        if stop is not None:
            slot = Slot(owner, key, product)
            self.state.plans[slot] = ExitPlan(*slot, Decimal(stop), None, None, Decimal(1200))

    def strategy(self, name: str, status: InstanceStatus, updated: datetime) -> None:
        """Of a running strategy the daybook reads these two fields."""
        instance = SimpleNamespace(status=status, updated_at=updated)
        self.state.instances[Owner(name)] = SimpleNamespace(instance=instance)  # type: ignore[assignment] # its record is all that is read


def test_a_morning_with_nothing_to_look_at() -> None:
    book = Book()
    alert = book.run(Job.CHECKLIST)
    assert alert is not None
    assert (alert.alert_id, alert.priority) == ("day:checklist:2026-11-23", Priority.STRATEGY)
    assert alert.title == "Mon 23 Nov 2026: ready"
    assert alert.body.splitlines() == [
        "✓ Broker: paper account",
        "✓ Instruments: 42 of 23 Nov",
        "✓ Funds: ₹1,00,000 free",
        "✓ Desk: ACTIVE",
        "✓ Broker's book: read, in order",
        "✓ Carried over: nothing",
        "✓ Left today: ₹3,000 of loss, 50",
        "  trades, 5 positions",
        "✓ Strategies: none running",
        "Auction stocks to 15:15, out 15:07",
        "Stocks to 15:30, out 15:20",
        "F&O to 15:40, out 15:20",
        "Closed tomorrow: Guru Nanak",
        "  Jayanti",
    ]


def test_a_morning_with_much_to_look_at() -> None:
    book = Book()
    state = book.state
    state.latch = Latch(DeskMode.HALTED, "killed", "killed by the owner.", book.at("08:00"), "owner 1")
    state.reconciled = False
    book.hold(RELIANCE, 10, stop="1188")
    book.hold(RELIANCE, -5, RSI)
    book.hold(CALL, 65, EXTERNAL)
    state.counters = replace(state.counters, booked_today=Decimal(-3000))
    book.strategy("ema_crossover", InstanceStatus.RUNNING, book.at("08:00"))
    book.strategy("breakout", InstanceStatus.FAILED, book.at("08:00") - timedelta(days=2))
    book.strategy("forgotten", InstanceStatus.FAILED, book.at("08:00") - timedelta(days=20))
    text = book.text(Job.CHECKLIST, [CheckLine("Funds", False, "cannot be read: no answer")])
    assert text.splitlines()[:22] == [
        "Mon 23 Nov NOT READY: 7 to look at",
        "✗ Funds: cannot be read: no answer",
        "✗ Desk: HALTED, killed by the",
        "  owner. /resume ends it",
        "✗ Broker's book: not read yet: no",
        "  entries",
        "✓ RELIANCE: +10 CNC stop ₹1,188.00",
        "✗ NIFTY26NOV26000CE: +65 NRML not",
        "  ours, expires today",
        "✗ RELIANCE: -5 CNC has no stop",
        "✗ Left today: ₹0 of loss, 50",
        "  trades, 2 positions",
        "✗ Strategies: 1 running, breakout",
        "  failed",
        "Auction stocks to 15:15, out 15:07",
        "Stocks to 15:30, out 15:20",
        "F&O to 15:40, out 15:20",
        "Closed tomorrow: Guru Nanak",
        "  Jayanti",
    ]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 8, 26), ["No settlement today, next Thu 27", "  Aug"]),
        (date(2026, 11, 6), ["Next session Sun 8 Nov: Muhurat"]),
        (date(2026, 10, 1), ["Closed tomorrow: Gandhi Jayanti"]),
        (date(2023, 5, 2), ["Stocks to 15:30, out 15:10", "F&O to 15:30, out 15:15"]),  # no auction yet
    ],
)
def test_what_is_unusual_about_a_day_is_said(day: date, expected: list[str]) -> None:
    assert Book(day).text(Job.CHECKLIST).splitlines()[-len(expected) :] == expected


def test_a_special_session_names_itself_and_its_hours() -> None:
    lines = Book(date(2026, 11, 8)).text(Job.CHECKLIST).splitlines()
    assert "Special session: Muhurat" in lines
    assert any("from 13:45 to 14:45" in line for line in lines)


def traded() -> Book:
    book = Book()
    book.fill(1, Side.BUY, 30, "1300.00", decided="1299.80")
    book.fill(2, Side.SELL, 30, "1340.00", decided="1340.20")
    book.fill(3, Side.BUY, 30, "1335.00", decided="1335.00", owner=RSI)
    book.fill(4, Side.SELL, 30, "1330.00", decided="1330.10", owner=RSI)
    book.order(5, Side.BUY, 10, "0", OrderState.DENIED)
    book.order(6, Side.BUY, 10, "0", OrderState.REJECTED)
    return book


def test_a_day_is_closed_with_everything_it_cost() -> None:
    """The sums were made by hand from the rates of india.md 3.1."""
    book = traded()
    before = sum((r.net for r in book.state.portfolio.day_results()), ZERO)
    text = book.text(Job.DIGEST).splitlines()
    assert text == [
        "Day closed: net +₹965.33",
        "Realised +₹1,050.00",
        "Charges ₹84.67: Brokerage ₹47.75,",
        "  STT ₹20.00, GST ₹9.50",
        "Contract note rounding -₹0.02",
        "Slippage ₹15.00 against us",
        "ema_crossover +₹1,157.78",
        "  1 trade, 1 won, 0 lost",
        "rsi_mean_reversion -₹192.47",
        "  1 trade, 0 won, 1 lost",
        "4 fills, 1 denied, 1 rejected",
        "Flat.",
    ]
    assert before == Decimal("965.31")


def test_the_contract_notes_rounding_is_booked_to_the_house_once() -> None:
    book = traded()
    state = book.state
    booked, charges = state.counters.booked, [r.charges for r in state.portfolio.day_results()]
    note = state.charges.day(executed_on(state, MONDAY), MONDAY)
    rounding = note.rounding(sum(charges, ZERO))
    assert rounding
    assert book.run(Job.DIGEST) is not None
    assert DayResult(MONDAY, HOUSE, charges=rounding) in book.records
    assert state.counters in book.records
    assert state.counters.booked == booked - rounding
    assert state.counters.booked_today == booked - rounding
    assert sum((r.charges for r in state.portfolio.day_results()), ZERO) == note.total
    assert book.run(Job.DIGEST) is None
    assert state.counters.booked == booked - rounding


def test_a_restart_remembers_that_the_job_ran() -> None:
    book = traded()
    assert book.run(Job.DIGEST) is not None
    assert Setting("ran:digest", "2026-11-23") in book.records
    again = traded()
    again.state.ran = {"digest": "2026-11-23", "weekly": "2026-11-20"}
    assert again.run(Job.DIGEST) is None
    assert again.run(Job.CHECKLIST) is not None


def test_a_day_closed_meanwhile_has_no_digest() -> None:
    book = Book()
    book.state.calendar.close(MONDAY, "a mourning")
    assert book.run(Job.DIGEST) is None
    assert book.records == []


def test_what_stays_open_is_listed_with_its_worth() -> None:
    book = Book()
    book.hold(RELIANCE, 10, stop="1188")
    book.state.quotes[RELIANCE] = Tick(RELIANCE, book.at("15:29"), 1250.5)
    book.state.latch = Latch(DeskMode.REDUCING, "paused", "paused by the owner", book.at("12:00"), "owner 1")
    assert book.text(Job.DIGEST).splitlines() == [
        "Day closed: net ₹0.00",
        "No trades.",
        "0 fills, 0 denied, 0 rejected",
        "1 position open, unrealised",
        "  +₹505.00",
        "RELIANCE +10 CNC +₹505.00",
        "REDUCING: paused by the owner",
    ]


def test_a_week_is_told_day_by_day() -> None:
    book = Book(FRIDAY)
    book.fill(1, Side.BUY, 30, "1300.00", decided="1300.00")
    book.fill(2, Side.SELL, 30, "1340.00", decided="1340.00")
    assert book.run(Job.DIGEST) is not None
    week = [
        DayResult(MONDAY, EMA, Decimal(500), Decimal(100), fills=4, trades=2, wins=1),
        DayResult(MONDAY, HOUSE, charges=Decimal("0.40")),
        DayResult(MONDAY + timedelta(days=2), RSI, Decimal(-2000), Decimal(250), fills=6, trades=3),
    ]
    today = sum((r.net for r in book.state.portfolio.day_results()), ZERO)
    assert book.text(Job.WEEKLY, week=week).splitlines() == [
        "Week to 27 Nov: net -₹692.57",
        "Mon 23 Nov +₹399.60",
        "Wed 25 Nov -₹2,250.00",
        "Thu 26 Nov no trades",
        "Fri 27 Nov +₹1,157.83",
        "Charges ₹392.57",
        "ema_crossover +₹1,557.78",
        "  3 trades, 2 won, 1 lost",
        "rsi_mean_reversion -₹2,250.00",
        "  3 trades, 0 won, 3 lost",
    ]
    assert today == Decimal("1157.83")


@pytest.mark.parametrize("length", [1, 34, 35, 200])
def test_no_line_is_wider_than_a_phone(length: int) -> None:
    for text in ("x" * length, "ab " * length, "  indented " + "word " * length):
        assert all(len(line) <= WIDTH for line in fold(text))
        assert "".join("".join(fold(text)).split()) == "".join(text.split())
