"""The broker's front desk: what it is given is taken, or refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from trader.broker.paper.checks import MAX_MODIFICATIONS, Terms, check_hours, check_tag, check_terms
from trader.broker.paper.floor import Floor, Step
from trader.broker.paper.pit import Pit
from trader.broker.paper.riskdesk import RiskDesk
from trader.broker.paper.working import WorkingOrder
from trader.domain.errors import InvalidInput, OrderRefused
from trader.domain.instrument import Instrument, InstrumentKey
from trader.domain.order import BrokerStatus, OrderChange, OrderId, OrderRequest
from trader.market.calendar import Calendar
from trader.market.phases import venue_of


class Entry:
    """Raises OrderRefused; what it lets through is in the hands of the risk desk. ``instruments`` raises
    InvalidInput for what is not listed."""

    def __init__(
        self,
        floor: Floor,
        pit: Pit,
        risk: RiskDesk,
        calendar: Calendar,
        instruments: Callable[[InstrumentKey], Instrument],
    ) -> None:
        self._floor = floor
        self._pit = pit
        self._risk = risk
        self._calendar = calendar
        self._instruments = instruments

    def check(self, request: OrderRequest, order: WorkingOrder, now: datetime) -> None:
        """``order`` is what would be made of the request."""
        check_tag(request.tag)
        if request.tag in self._floor.tags:
            raise OrderRefused(f"The tag {request.tag} is in the book already: every order needs its own")
        instrument = self._instrument(request.key)
        terms = Terms(
            request.side, request.quantity, request.order_type, request.product, request.price,
            request.trigger_price,
        )  # fmt: skip
        check_terms(terms, instrument, self._pit.last(request.key))
        phase = self._calendar.phase(now, venue_of(instrument))
        check_hours(instrument, request.order_type, request.validity, phase)
        late = self._risk.opens(order) and self._risk.too_late(instrument, request.product, now)
        if late:
            raise OrderRefused(late)

    def check_change(
        self, order: WorkingOrder, change: OrderChange, now: datetime, active_at: datetime
    ) -> None:
        """What is changed while a candle's range passes is changed inside that candle."""
        if order.modifications >= MAX_MODIFICATIONS:
            raise OrderRefused("Maximum allowed order modifications exceeded.")
        update = order.update
        if change.quantity <= update.filled_quantity:
            raise OrderRefused(
                f"Expected a total quantity above the {update.filled_quantity} already traded, "
                f"was {change.quantity}"
            )
        terms = Terms(
            update.side, change.quantity, change.order_type, update.product, change.price,
            change.trigger_price,
        )  # fmt: skip
        instrument = self._instrument(update.key)
        fired = update.status is BrokerStatus.OPEN and change.trigger_price == update.trigger_price
        check_terms(terms, instrument, None if fired else self._pit.last(update.key))
        bar = self._pit.range_of(update.key)
        phase = self._calendar.phase(bar.start if bar else now, venue_of(instrument))
        check_hours(instrument, change.order_type, order.validity, phase)
        changed = order.changed(change, now, bar.start if bar else active_at)
        reason = self._risk.rejection(Step(self._floor), changed, now)
        if reason is not None:
            raise OrderRefused(reason)

    def changeable(self, order_id: OrderId, what: str) -> WorkingOrder:
        order = self._floor.orders.get(order_id)
        if order is None:
            raise OrderRefused(f"Order {order_id} is not in the book: it cannot be {what}")
        if order.final or order.in_transit:  # Kite says the same of both (kite.md 2, 11)
            raise OrderRefused(f"Order cannot be {what} as it is being processed. Try later.")
        return order

    def _instrument(self, key: InstrumentKey) -> Instrument:
        try:
            return self._instruments(key)
        except InvalidInput as error:
            raise OrderRefused(f"The paper exchange does not trade {key}: {error}") from error
