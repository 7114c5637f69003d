"""Shares bought and sold for delivery: what is held, and what its sale brings when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from trader.domain.funds import Holding
from trader.domain.instrument import InstrumentKey
from trader.domain.money import ZERO, to_paise
from trader.domain.order import Side
from trader.market.calendar import Calendar
from trader.market.margins import Margins


class Credit(NamedTuple):
    """Rupees on their way: part of what can be spent from ``usable_on``, settled on ``settles_on``."""

    amount: Decimal
    usable_on: date
    settles_on: date


class _Lot(NamedTuple):
    """Shares bought on one day. They are sold as settled ones after the day they are delivered on."""

    quantity: int
    cost: Decimal
    delivered_on: date


@dataclass(slots=True)
class _Turnover:
    """One scrip's delivery trades of one day: units and rupees."""

    bought: int = 0
    paid: Decimal = ZERO
    sold: int = 0
    received: Decimal = ZERO


@dataclass(slots=True)
class Delivered:
    """What a day's trades come to: rupees ``spent``, ``gain`` of what was bought and sold within it, the
    proceeds on their way, and the lots of the scrips traded."""

    spent: Decimal = ZERO
    gain: Decimal = ZERO
    credits: list[Credit] = field(default_factory=list)
    left: dict[InstrumentKey, list[_Lot]] = field(default_factory=dict)  # of earlier days
    bought: dict[InstrumentKey, _Lot] = field(default_factory=dict)


class Deliveries:
    def __init__(self, calendar: Calendar, margins: Margins) -> None:
        self._calendar = calendar
        self._margins = margins
        self._lots: dict[InstrumentKey, list[_Lot]] = {}
        self._today: dict[InstrumentKey, _Turnover] = {}

    def add(self, key: InstrumentKey, side: Side, quantity: int, value: Decimal) -> None:
        turnover = self._today.setdefault(key, _Turnover())
        if side is Side.BUY:
            turnover.bought += quantity
            turnover.paid += value
        else:
            turnover.sold += quantity
            turnover.received += value

    def so_far(self, day: date) -> Delivered:
        """What the trades since the last ``close_day`` come to; ``day`` is theirs."""
        delivered = Delivered()
        if not self._today:
            return delivered
        settles = self._calendar.settles_on(day)
        for key, turnover in self._today.items():
            matched = min(turnover.bought, turnover.sold)
            paid = _part(turnover.paid, matched, turnover.bought)
            received = _part(turnover.received, matched, turnover.sold)
            delivered.gain += received - paid
            delivered.spent += turnover.paid - paid
            if turnover.bought > matched:
                delivered.bought[key] = _Lot(turnover.bought - matched, turnover.paid - paid, settles)
            if turnover.sold > matched:
                units, proceeds = turnover.sold - matched, turnover.received - received
                self._sell(delivered, key, units, proceeds, day, settles)
        return delivered

    def close_day(self, delivered: Delivered) -> None:
        """Take in a day's end, which is what ``so_far`` said of it."""
        self._lots |= delivered.left
        for key, lot in delivered.bought.items():
            self._lots[key] = [*self._lots.get(key, ()), lot]
        self._today = {}

    def holdings(self, day: date) -> Sequence[Holding]:
        held = []
        for key, lots in (self._lots | self.so_far(day).left).items():
            units = sum(lot.quantity for lot in lots)
            if units:
                settled = sum(lot.quantity for lot in lots if lot.delivered_on < day)
                cost = sum((lot.cost for lot in lots), ZERO)
                held.append(Holding(key, settled, units - settled, cost / units))
        return held

    def _sell(
        self,
        delivered: Delivered,
        key: InstrumentKey,
        units: int,
        proceeds: Decimal,
        day: date,
        settles: date,
    ) -> None:
        """Take the oldest lots first, so that settled shares go before those still to come."""
        left, settled, lots = units, 0, []
        for lot in self._lots.get(key, ()):
            taken = min(left, lot.quantity)
            left -= taken
            if lot.delivered_on < day:
                settled += taken
            if taken < lot.quantity:
                cost = _part(lot.cost, taken, lot.quantity)
                lots.append(_Lot(lot.quantity - taken, lot.cost - cost, lot.delivered_on))
        delivered.left[key] = lots
        of_settled = _part(proceeds, settled, units)
        at_once = to_paise(of_settled * self._margins.usable_same_day(day))
        delivered.credits += [
            Credit(at_once, day, settles),
            Credit(of_settled - at_once, settles, settles),
            Credit(proceeds - of_settled, self._calendar.next_trading_day(day), settles),
        ]


def _part(amount: Decimal, units: int, of: int) -> Decimal:
    """The share of ``units`` in ``amount``, to the paisa, so that the parts sum to the whole exactly."""
    if units == of:
        return amount
    return to_paise(amount * units / of) if units else ZERO
