"""The account's money, derived from executions alone: a restart that reads them again has the same.

Four kinds of flow, each with its own rule (india.md 9 and 10; tables/margins.toml):

- delivery: a purchase is paid at once. What is sold of settled shares can be used the same day, what is sold
  of shares still to be delivered (BTST) on the next trading day; bought and sold on one day it is intraday.
- options: a day's premiums are netted, as the clearing corporation does. What was paid beyond those received
  leaves at once; what was received beyond pays for options only, until it is settled. Expiry is no trade:
  who exercises pays its tax and nothing else.
- everything else (intraday stocks, futures, MTF): the day's result, a loss at once, a gain once settled.
- charges: the day's contract note and the debits beside it, at once.

Open futures and shorts count when they are closed: no daily mark to market.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from trader.broker.paper.delivery import Credit, Delivered, Deliveries
from trader.broker.paper.journal import PaperExecution
from trader.broker.paper.tally import Net
from trader.broker.paper.working import AT_EXPIRY, BY_RMS
from trader.domain.funds import Holding
from trader.domain.instrument import Instrument, InstrumentKey, OptionType, Segment
from trader.domain.money import ZERO
from trader.domain.order import OrderId, OrderUpdate, Product, Side
from trader.domain.times import ist
from trader.market.calendar import Calendar
from trader.market.charges import Charges, ContractNote, Executed
from trader.market.margins import Margins

# More than any order of the tables is charged: a bound that saves making the note for every order.
_CHARGED_AT_MOST = Decimal("0.01")
_FEES_AT_MOST = Decimal(150)


@dataclass(frozen=True, slots=True)
class Statement:
    """The account on one day, rupees. ``settled`` could be withdrawn; ``usable`` is not settled but can be
    spent; ``premiums`` received pay for options only; ``owed`` can't be spent yet."""

    settled: Decimal
    usable: Decimal
    premiums: Decimal
    owed: Decimal
    owed_on: date | None  # when the first part of what is owed can be used

    @property
    def cash(self) -> Decimal:
        return self.settled + self.usable

    @property
    def receivable(self) -> Decimal:
        return self.premiums + self.owed


@dataclass(slots=True)
class _Today:
    """What the present day's executions have done so far."""

    gain: Decimal = ZERO  # of intraday stocks, futures, MTF
    traded: bool = False
    premiums: Decimal = ZERO  # received less paid
    exercise_tax: Decimal = ZERO
    orders: dict[OrderId, Executed] = field(default_factory=dict)
    charges_bound: Decimal = ZERO
    note: ContractNote | None = None


class Account:
    def __init__(
        self,
        cash: Decimal,
        calendar: Calendar,
        charges: Charges,
        margins: Margins,
        instrument: Callable[[InstrumentKey], Instrument],
    ) -> None:
        """``instrument`` knows every key ever traded, expired contracts too."""
        self._calendar = calendar
        self._charges = charges
        self._instrument = instrument
        self._settled = cash
        self._credits: list[Credit] = []
        self._premiums: dict[date, Decimal] = {}  # received and unspent, by the day they are settled
        self._deliveries = Deliveries(calendar, margins)
        self._nets: dict[tuple[InstrumentKey, Product], Net] = {}
        self._day = date.min
        self._today = _Today()

    # -- what happens ----------------------------------------------------------------------------------

    def add(self, order: OrderUpdate, execution: PaperExecution) -> None:
        """Take in an execution; they come in the order of their days."""
        self._roll(ist(execution.at).date())
        instrument = self._instrument(order.key)
        value = execution.price * execution.quantity
        self._today.traded = True
        if order.message == AT_EXPIRY:
            self._today.exercise_tax += self._exercised(order.side, execution, instrument, value)
        else:
            self._charge(order, execution, instrument, value)
        if instrument.segment is Segment.OPTIONS:
            self._today.premiums -= order.side.sign * value
        elif order.product is Product.CNC:
            self._deliveries.add(order.key, order.side, execution.quantity, value)
        else:
            net = self._nets.setdefault((order.key, order.product), Net())
            self._today.gain += net.add(order.side.sign * execution.quantity, execution.price)

    def _charge(
        self, order: OrderUpdate, execution: PaperExecution, instrument: Instrument, value: Decimal
    ) -> None:
        today = self._today
        before = today.orders.get(execution.order_id)
        today.orders[execution.order_id] = Executed(
            tag=execution.order_id,  # the broker's own orders have no tag
            key=order.key,
            exchange=instrument.exchange,
            segment=instrument.segment,
            underlying=instrument.underlying,
            product=order.product,
            side=order.side,
            quantity=execution.quantity + (before.quantity if before else 0),
            value=value + (before.value if before else ZERO),
            at=before.at if before else execution.at,
            by_broker=order.message == BY_RMS,
        )
        today.charges_bound += value * _CHARGED_AT_MOST + (ZERO if before else _FEES_AT_MOST)
        today.note = None

    def _exercised(
        self, side: Side, execution: PaperExecution, instrument: Instrument, value: Decimal
    ) -> Decimal:
        """The tax of a bought option that ends in the money; futures and options sold have none."""
        if instrument.segment is not Segment.OPTIONS or side is Side.BUY or not value:
            return ZERO
        settlement = value
        if instrument.strike is not None:
            sign = 1 if instrument.option_type is OptionType.CALL else -1
            settlement = max(instrument.strike * execution.quantity + sign * value, ZERO)
        return self._charges.exercised(ist(execution.at).date(), intrinsic=value, settlement=settlement)

    # -- what it comes to ------------------------------------------------------------------------------

    def note(self, day: date) -> ContractNote:
        """The contract note of ``day``, which is the present one."""
        self._roll(day)
        if self._today.note is None:
            self._today.note = self._charges.day(list(self._today.orders.values()), self._day)
        return self._today.note

    def statement(self, day: date) -> Statement:
        """The account on ``day``, charges of the day so far included."""
        self._roll(day)
        return self._statement(self.note(day).total)

    def least(self, day: date) -> Statement:
        """As ``statement``, but with more charges than there can be: quick, and never too much."""
        self._roll(day)
        return self._statement(self._today.charges_bound)

    def _premiums_so_far(self) -> tuple[dict[date, Decimal], Decimal]:
        """Premiums received and unspent by the day they are settled, and what was paid beyond them."""
        if not self._premiums and not self._today.premiums:
            return {}, ZERO  # no options are traded
        left, net = dict(self._premiums), self._today.premiums
        if net > 0:
            settles = self._calendar.settles_on(self._day)
            left[settles] = left.get(settles, ZERO) + net
        due = max(-net, ZERO)
        for settles in sorted(left):
            taken = min(due, left[settles])
            left[settles] -= taken
            due -= taken
        return {day: amount for day, amount in left.items() if amount}, due

    def holdings(self, day: date) -> Sequence[Holding]:
        self._roll(day)
        return self._deliveries.holdings(self._day)

    def _statement(self, charges: Decimal) -> Statement:
        spent_today, new, _ = self._so_far(charges)
        premiums, _ = self._premiums_so_far()
        credits = [*self._credits, *new]
        usable = sum((c.amount for c in credits if c.usable_on <= self._day), ZERO)
        owed = [c for c in credits if c.usable_on > self._day]
        settled = self._settled - spent_today
        spent = min(max(-settled, ZERO), max(usable, ZERO))  # what is sold today pays for what is bought
        return Statement(
            settled=settled + spent,
            usable=usable - spent,
            premiums=sum(premiums.values(), ZERO),
            owed=sum((c.amount for c in owed), ZERO),
            owed_on=min([*(c.usable_on for c in owed if c.amount), *premiums], default=None),
        )

    # -- the day's end ---------------------------------------------------------------------------------

    def _roll(self, day: date) -> None:
        """Close the days before ``day``. Time never runs backwards: an earlier day is the present one."""
        if day <= self._day:
            return
        if self._today.traded:
            self._close_day()
        self._today = _Today()
        self._day = day
        self._settled += sum((c.amount for c in self._credits if c.settles_on <= day), ZERO)
        self._credits = [c for c in self._credits if c.settles_on > day]
        for settles in [s for s in self._premiums if s <= day]:
            self._settled += self._premiums.pop(settles)

    def _close_day(self) -> None:
        spent, credits, delivered = self._so_far(self.note(self._day).total)
        self._settled -= spent
        self._premiums, _ = self._premiums_so_far()
        self._credits += credits
        self._deliveries.close_day(delivered)

    def _so_far(self, charges: Decimal) -> tuple[Decimal, list[Credit], Delivered]:
        """What the present day has spent, and what it will bring."""
        delivered = self._deliveries.so_far(self._day)
        _, premiums = self._premiums_so_far()
        spent = premiums + self._today.exercise_tax + charges + delivered.spent
        credits = list(delivered.credits)
        gain = self._today.gain + delivered.gain
        if gain > 0:
            settles = self._calendar.settles_on(self._day)
            credits.append(Credit(gain, settles, settles))
        return spent - min(gain, ZERO), credits, delivered
