"""A desk at a broker that keeps stops over the night."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

from broker_book import Reply
from world import OURS, REL, DeskWorld

from trader.desk.desk import Desk
from trader.desk.effects import DeleteGtt, Effect, ListGtts, PlaceGtt
from trader.desk.events import GttDeleted, GttNotPlaced, GttPlaced, GttsListed, GttsUnread
from trader.desk.limits import RiskLimits
from trader.desk.portfolio import Slot
from trader.desk.standing import StandingStop
from trader.desk.state import DeskConfig
from trader.domain.gtt import GttId, GttRow, GttStatus
from trader.domain.instrument import InstrumentKey
from trader.domain.money import ZERO
from trader.domain.order import BrokerStatus, Gtt, OrderId, OrderType, OrderUpdate, Product
from trader.domain.times import IST

LIMITS = RiskLimits(capital=Decimal(1_000_000))
EVENING = datetime(2026, 11, 23, 15, 35, tzinfo=IST)
OPENING = datetime(2026, 11, 25, 9, 15, tzinfo=IST)  # the 24th is a holiday


@dataclass
class GttBook:
    """``replies`` are used up one by one, then OK."""

    now: Callable[[], datetime]
    rows: dict[GttId, GttRow] = field(default_factory=dict)
    replies: deque[Reply] = field(default_factory=deque)
    delete_replies: deque[Reply] = field(default_factory=deque)
    readable: bool = True
    _ids: count[int] = field(default_factory=lambda: count(101))

    def place(self, gtt: Gtt) -> tuple[Reply, GttId]:
        reply = self.replies.popleft() if self.replies else Reply.OK
        gtt_id = GttId(str(next(self._ids)))
        if reply.taken:
            self.rows[gtt_id] = GttRow(gtt_id, replace(gtt, last_price=None), GttStatus.ACTIVE, self.now())
        return reply, gtt_id

    def delete(self, gtt_id: GttId) -> tuple[Reply, str]:
        reply = self.delete_replies.popleft() if self.delete_replies else Reply.OK
        row = self.rows.get(gtt_id)
        if row is None or row.status is not GttStatus.ACTIVE:
            return Reply.REFUSED, "The trigger is not active."
        if reply.taken:
            del self.rows[gtt_id]
        return reply, "refused on demand"

    @property
    def active(self) -> list[GttRow]:
        return [row for row in self.rows.values() if row.status is GttStatus.ACTIVE]


class NightWorld(DeskWorld):
    def __init__(self, *, at: datetime | None = None) -> None:
        self.gtts = GttBook(lambda: self.now)
        super().__init__(LIMITS, at=at or datetime(2026, 11, 23, 14, 0, tzinfo=IST))

    def _desk(self) -> Desk:
        desk = super()._desk()
        desk._state.config = DeskConfig(self.limits, "TST", gtt=True)
        return desk

    def _send(self, effect: Effect) -> None:
        now, gtts = self.now, self.gtts
        match effect:
            case PlaceGtt(slot=slot, approved=approved):
                reply, gtt_id = gtts.place(approved.gtt)
                if reply is Reply.OK:
                    self.inbox.append(GttPlaced(now, slot, gtt_id))
                elif reply is Reply.REFUSED:
                    self.inbox.append(GttNotPlaced(now, slot, "refused on demand"))
                elif reply in (Reply.TAKEN, Reply.LOST):
                    self.inbox.append(GttNotPlaced(now, slot, "timed out", unknown=True))
            case DeleteGtt(gtt_id=gtt_id):
                reply, why = gtts.delete(gtt_id)
                if reply is Reply.OK:
                    self.inbox.append(GttDeleted(now, gtt_id))
                elif reply is Reply.REFUSED:
                    self.inbox.append(GttDeleted(now, gtt_id, error=why))
                elif reply in (Reply.TAKEN, Reply.LOST):
                    self.inbox.append(GttDeleted(now, gtt_id, error="timed out", unknown=True))
            case ListGtts():
                if gtts.readable:
                    self.inbox.append(GttsListed(now, now, list(gtts.rows.values())))
                else:
                    self.inbox.append(GttsUnread(now, "502 Bad Gateway"))
            case _:
                super()._send(effect)

    # -- what happens ----------------------------------------------------------------------------

    def holding(self, price: float = 1000.0, key: InstrumentKey = REL, **settings: str) -> Slot:
        """A position that stays, protected for the day."""
        settings = {"product": "CNC", "side": "long", **settings}
        self.start("scripted", key.partition(":")[2], **settings)
        self.tick(price, key)
        self.bar(1, key)
        self.tick(price, key)
        slot = Slot(OURS, key, Product(settings["product"]))
        assert self.state.portfolio.position(slot).quantity
        return slot

    def evening(self) -> None:
        """Continuous trading ends; the exchange cancels what rests."""
        self.evening_of(EVENING)

    def evening_of(self, day: datetime) -> None:
        self.prices.clear()
        self.jump(day.replace(hour=15, minute=29, second=59))
        for order_id, row in list(self.broker.rows.items()):
            if not row.status.final:
                self.broker.cancel(order_id)
        self.jump(day.replace(hour=15, minute=35, second=0))
        self.clock(3)

    def dawn(self) -> None:
        """The moment of the next opening, of which the desk has not heard yet."""
        self.broker.opening = dict(self.broker.net())
        self.broker.rows.clear()
        self.jump(OPENING - timedelta(seconds=1))
        self.now = OPENING

    def morning(self) -> None:
        """The next session begins, before its first price."""
        self.dawn()
        self.jump(OPENING)

    def fire(
        self,
        *,
        filled: int | None = None,
        price: str = "",
        tell: bool = True,
        failed: str = "",
        shown: bool = True,
    ) -> OrderId | None:
        """The one active GTT is triggered; ``filled`` units of its order trade at once. ``shown``: the list
        names the order already."""
        (row,) = self.gtts.active
        gtt = row.gtt
        order_id = None if failed else OrderId("3900000000000000001")
        if order_id is not None:
            units = gtt.quantity if filled is None else filled
            done = BrokerStatus.COMPLETE if units == gtt.quantity else BrokerStatus.OPEN
            average = Decimal(price) if price else gtt.trigger_price
            self.broker.rows[order_id] = update = OrderUpdate(
                order_id, None, gtt.key, gtt.side, gtt.product, OrderType.LIMIT, done, gtt.quantity, units,
                average if units else ZERO, self.now, price=gtt.price,
            )  # fmt: skip
            if tell:
                self._stream(update)
                self._drain()
        self.gtts.rows[row.gtt_id] = replace(
            row, status=GttStatus.TRIGGERED, order_id=order_id if shown else None, message=failed
        )
        return order_id

    def standing(self) -> list[StandingStop]:
        return list(self.state.standing.values())
