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
    """Signed units, and the rupees paid for (or had from) what is open."""

    quantity: int = 0
    cost: Decimal = ZERO

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


class Tally:
    """Intraday positions live for one day; the others until they are sold."""

    def __init__(self) -> None:
        self._nets: dict[tuple[InstrumentKey, Product, date | None], Net] = {}

    def add(self, order: OrderUpdate, execution: PaperExecution) -> None:
        day = ist(execution.at).date() if order.product is Product.MIS else None
        net = self._nets.setdefault((order.key, order.product, day), Net())
        net.add(order.side.sign * execution.quantity, execution.price)

    def forget(self, before: date) -> None:
        """Intraday positions of the days before ``before``: nobody will ask for them again."""
        self._nets = {slot: net for slot, net in self._nets.items() if slot[2] is None or slot[2] >= before}

    def positions(self, today: date) -> list[BrokerPosition]:
        return [
            BrokerPosition(key, product, net.quantity, net.average)
            for (key, product, day), net in self._nets.items()
            if day in (None, today)
        ]

    def quantity(self, key: InstrumentKey, product: Product, today: date) -> int:
        net = self._nets.get((key, product, today if product is Product.MIS else None))
        return net.quantity if net else 0
