"""What executions add up to: net positions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trader.broker.paper.journal import PaperExecution
from trader.domain.instrument import InstrumentKey
from trader.domain.money import ZERO
from trader.domain.order import BrokerPosition, OrderUpdate, Product
from trader.domain.times import ist


@dataclass(slots=True)
class Net:
    """Signed units, and the rupees paid for (or had from) what is open, since the day it was opened."""

    quantity: int = 0
    cost: Decimal = ZERO
    opened_on: date = date.min
    traded_on: date = date.min

    @property
    def average(self) -> Decimal:
        return self.cost / abs(self.quantity) if self.quantity else ZERO

    def add(self, signed: int, price: Decimal) -> Decimal:
        """Take in an execution; the rupees it realised."""
        closed = min(abs(signed), abs(self.quantity)) if signed * self.quantity < 0 else 0
        gain = (price - self.average) * closed * (1 if self.quantity > 0 else -1)
        left = abs(self.quantity) - closed
        self.cost = (self.cost if not closed else self.average * left) + price * (abs(signed) - closed)
        self.quantity += signed
        return gain

    def note(self, before: int, day: date) -> None:
        """Take note of a trade on ``day``, before which there were ``before`` units."""
        if before * self.quantity <= 0:
            self.opened_on = day
        self.traded_on = day


class Tally:
    """A position is there until it is closed, an intraday one too: the broker must do it."""

    def __init__(self) -> None:
        self._nets: dict[tuple[InstrumentKey, Product], Net] = {}
        self._prices: dict[InstrumentKey, Decimal] = {}

    def add(self, order: OrderUpdate, execution: PaperExecution) -> None:
        net = self._nets.setdefault((order.key, order.product), Net())
        before = net.quantity
        net.add(order.side.sign * execution.quantity, execution.price)
        net.note(before, ist(execution.at).date())
        self._prices[order.key] = execution.price

    def forget(self, before: date) -> None:
        """What was closed before the day ``before``: nobody will ask for it again."""
        self._nets = {at: net for at, net in self._nets.items() if net.quantity or net.traded_on >= before}
        self._prices = {key: self._prices[key] for key, _ in self._nets}

    def positions(self, today: date) -> list[BrokerPosition]:
        """All that are open, and those closed today."""
        return [
            BrokerPosition(key, product, net.quantity, net.average)
            for (key, product), net in self._nets.items()
            if net.quantity or net.traded_on >= today
        ]

    def quantity(self, key: InstrumentKey, product: Product) -> int:
        net = self._nets.get((key, product))
        return net.quantity if net else 0

    def opened_on(self, key: InstrumentKey, product: Product) -> date:
        """The day a position was opened, or turned around."""
        return self._nets[key, product].opened_on

    def last_price(self, key: InstrumentKey) -> Decimal:
        """Of its last execution."""
        return self._prices[key]
