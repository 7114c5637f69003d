"""Zerodha as the desk sees it."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterable, Coroutine, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from trader.broker.port import Book, UpdateSink, WhyNot
from trader.broker.zerodha import mapping
from trader.broker.zerodha.budget import priority_of
from trader.broker.zerodha.faults import RefusedAtTheDoor
from trader.broker.zerodha.freshness import Memory
from trader.broker.zerodha.gate import Priority
from trader.broker.zerodha.mapping import UnreadableRow
from trader.broker.zerodha.rest import KiteRest, price_text
from trader.broker.zerodha.stream.pacing import StreamTime
from trader.domain.errors import (
    BrokerError,
    BrokerUnavailable,
    ChangesUsedUp,
    OrderNotSent,
    OrderRefused,
    OrdersBarred,
    OutcomeUnknown,
)
from trader.domain.funds import Funds, Holding
from trader.domain.gtt import GttId, GttRow
from trader.domain.order import (
    TAG_LENGTH,
    Approved,
    ApprovedChange,
    ApprovedGtt,
    BrokerPosition,
    Gtt,
    OrderId,
    OrderRequest,
    OrderType,
    OrderUpdate,
    Purpose,
    Tag,
)
from trader.domain.position import Traded
from trader.domain.times import IST

log = logging.getLogger(__name__)

AUTOMATIC = -1  # Kite's own market protection, by the bands of kite.md 4 at the price it sees
_PROTECTED = (OrderType.MARKET, OrderType.SL_M)
_NEVER = datetime(1970, 1, 2, tzinfo=IST)  # nothing was proven yet
TRIES, PAUSE = 3, 0.4  # of a whole book; seconds between


class ZerodhaBroker:
    """Implements ``trader.broker.port.Broker``, ``Overnight`` and ``LastLook``. Updates come from
    ``follow``."""

    def __init__(self, rest: KiteRest, time: StreamTime) -> None:
        self._rest = rest
        self._time = time
        self._memory = Memory()
        self._sinks: list[UpdateSink] = []
        self._why_not: WhyNot = _always
        self._looking: set[asyncio.Task[None]] = set()
        self._foreign: set[str] = set()

    # -- the port ---------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return "zerodha"

    @property
    def live(self) -> bool:
        return True

    def listen(self, sink: UpdateSink) -> None:
        self._sinks.append(sink)

    def look_last(self, why_not: WhyNot) -> None:
        self._why_not = why_not

    async def open(self) -> None:
        """Needs no session: the desk may start before its owner has logged in."""
        await asyncio.to_thread(self._rest.prepare)

    async def close(self) -> None:
        for task in self._looking:
            task.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)
        await self._rest.close()

    async def place(self, approved: Approved) -> OrderId:
        if not isinstance(approved, Approved):
            raise TypeError(f"Expected an order approved by the risk gate, was {type(approved).__name__}")
        request = approved.request
        if not 0 < len(request.tag) <= TAG_LENGTH:
            # Kite rejects a longer one, and one that went without could not be found again.
            raise OrderNotSent(f"Expected a tag of 1 to {TAG_LENGTH} characters, was {request.tag!r}")
        exchange, _, symbol = request.key.partition(":")
        try:
            order_id = OrderId(
                await self._rest.place(
                    priority=priority_of(request.purpose),
                    why_not=lambda: self._why_not(request),
                    exchange=exchange,
                    tradingsymbol=symbol,
                    transaction_type=str(request.side),
                    quantity=request.quantity,
                    product=str(request.product),
                    order_type=str(request.order_type),
                    price=price_text(request.price),
                    trigger_price=price_text(request.trigger_price),
                    validity=str(request.validity),
                    tag=str(request.tag),
                    market_protection=_protection(request.order_type),
                )
            )
        except RefusedAtTheDoor as refusal:
            try:
                found = await self._look_once(request.tag)
            except BrokerError as error:
                log.warning("The book could not be looked at after a refusal: %s", error)
                if request.purpose is not Purpose.ENTRY or isinstance(refusal, OrdersBarred):
                    raise refusal from None  # what leaves or protects is tried again rather than waited for
                raise OutcomeUnknown(f"{refusal}, and the book that would prove it cannot be read") from None
            if found is None:
                raise
            order_id = found
        self._memory.acknowledged(order_id, request.tag, self._time.now())
        return order_id

    async def modify(self, approved: ApprovedChange) -> None:
        if not isinstance(approved, ApprovedChange):
            raise TypeError(f"Expected a change approved by the risk gate, was {type(approved).__name__}")
        change = approved.change
        try:
            await self._rest.modify(
                change.order_id,
                priority=priority_of(change.purpose),
                quantity=change.quantity,
                order_type=str(change.order_type),
                price=price_text(change.price),
                trigger_price=price_text(change.trigger_price),
                market_protection=_protection(change.order_type),
            )
        except OrderRefused as error:
            if "modifications exceeded" in str(error):  # the app's changes count too (kite.md 2, 10)
                raise ChangesUsedUp(str(error)) from None
            raise

    async def cancel(self, order_id: OrderId) -> None:
        """Before everything else: an exit must not meet the stop it replaces."""
        await self._rest.cancel(order_id, priority=Priority.KILL)

    async def book(self) -> Book:
        """Positions are those between two readings of the orders that show the same fills."""
        why = ""
        for attempt in range(TRIES):
            if attempt:
                await self._time.sleep(PAUSE)
            before = await self._rest.orders()
            answer = await self._rest.positions()
            holdings = await self._holdings()
            trades = await self._trades(before)
            told = self._memory.told(self._time.now())
            rows = await self._rest.orders()
            if _fills(before) != _fills(rows):
                why = "orders were filled while it was read"
                continue
            now = self._time.now()
            updates, positions = self._updates(rows, trades or (), now), self._positions(answer)
            why = self._memory.contradiction(updates, told, now) or ""
            if not why:
                self._rest.budgets.placed_already(len(rows))
                proven_at, traded = self.book_proven_at or _NEVER, self._traded(trades)
                return Book(updates, positions, holdings, proven_at, traded)
        raise BrokerUnavailable(f"Zerodha's order book is stale: {why}.")

    async def funds(self) -> Funds:
        answer = await self._rest.margins()
        try:
            return mapping.funds(answer)
        except UnreadableRow as error:
            raise BrokerUnavailable(f"Zerodha's margins cannot be read: {error}.") from error

    # -- stops that outlive the day -----------------------------------------------------------------------

    async def place_gtt(self, approved: ApprovedGtt) -> GttId:
        if not isinstance(approved, ApprovedGtt):
            raise TypeError(f"Expected a GTT approved by the risk gate, was {type(approved).__name__}")
        gtt = approved.gtt
        exchange, _, symbol = gtt.key.partition(":")
        last = await self._last_price(gtt)
        if (gtt.trigger_price - last) * gtt.side.sign <= 0:
            # Kite takes the side from which a trigger is reached from the last price: it would wait for the
            # opposite of what is meant.
            raise OrderNotSent(f"The last price {last} is past the trigger {gtt.trigger_price} already.")
        return GttId(
            str(
                await self._rest.place_gtt(
                    trigger_type="single",
                    exchange=exchange,
                    tradingsymbol=symbol,
                    trigger_values=[float(gtt.trigger_price)],
                    last_price=float(last),
                    orders=[
                        {
                            "transaction_type": str(gtt.side),
                            "quantity": gtt.quantity,
                            "order_type": "LIMIT",
                            "product": str(gtt.product),
                            "price": float(gtt.price),
                        }
                    ],
                )
            )
        )

    async def delete_gtt(self, gtt_id: GttId) -> None:
        await self._rest.delete_gtt(int(gtt_id))

    async def gtts(self) -> Sequence[GttRow]:
        rows = await self._rest.gtts()
        try:
            return mapping.gtt_rows(rows)
        except UnreadableRow as error:
            raise BrokerUnavailable(f"Zerodha's GTTs cannot be read: {error}.") from error

    async def _last_price(self, gtt: Gtt) -> Decimal:
        """As the broker sees it now; the desk's own, where that cannot be read."""
        try:
            row = (await self._rest.ltp([gtt.key])).get(gtt.key, {})
            last = mapping.number(row, "last_price")
        except (BrokerError, UnreadableRow) as error:
            log.warning("The last price of %s could not be read: %s", gtt.key, error)
            last = Decimal(0)
        last = last if last > 0 else gtt.last_price or Decimal(0)
        if last <= 0:
            raise OrderNotSent(f"No last price of {gtt.key} is known, and a GTT needs one. Nothing was sent.")
        return last

    # -- beyond the port --------------------------------------------------------------------------------

    @property
    def book_proven_at(self) -> datetime | None:
        """The newest time of which the last book is known to tell: it showed what Zerodha had said then by
        another way. None before the first such proof; an order sent later may be missing without meaning."""
        return self._memory.proven_at

    async def holdings(self) -> Sequence[Holding]:
        return [one for one in await self._holdings() if one.quantity or one.t1_quantity]

    async def _holdings(self) -> Sequence[Holding]:
        rows = await self._rest.holdings()
        try:
            return mapping.holdings(rows)
        except UnreadableRow as error:
            raise BrokerUnavailable(f"Zerodha's holdings cannot be read: {error}.") from error

    async def follow(self, orders: AsyncIterable[dict[str, Any]]) -> None:
        """Tell the stream's order updates until it ends. A row nobody can read is logged: the book has it."""
        async for row in orders:
            if not self._ours(row):
                continue
            try:
                update = mapping.order_update(row, self._time.now())
                unpriced = mapping.needs_trades(row)
            except UnreadableRow as error:
                log.error("An order update of Zerodha's stream cannot be read: %s", error)  # noqa: TRY400 - the text says it
                continue
            update = self._memory.heard(update, self._time.now())
            if unpriced:
                self._start(self._price_and_tell(row, update))
            else:
                self._tell(update)

    # -- within -----------------------------------------------------------------------------------------

    async def _look_once(self, tag: Tag) -> OrderId | None:
        rows = await self._rest.orders()
        return next((OrderId(str(row["order_id"])) for row in rows if row.get("tag") == tag), None)

    async def _trades(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]] | None:
        """Of our exchanges. None: not to be had, which is no reason to do without the rest of the book,
        unless they alone tell what a part fill cost."""
        ours = [row for row in rows if self._ours(row) and row.get("filled_quantity")]
        try:
            return [row for row in await self._rest.trades() if self._ours(row)] if ours else []
        except BrokerUnavailable as error:
            if any(not row.get("average_price") for row in ours):
                raise
            log.warning("The trades are not compared with the orders: %s", error)
            return None

    def _traded(self, trades: Sequence[dict[str, Any]] | None) -> list[Traded] | None:
        try:
            return None if trades is None else mapping.traded(trades)
        except UnreadableRow as error:
            log.warning("The trades are not compared with the orders: %s", error)
            return None

    def _updates(
        self, rows: Sequence[dict[str, Any]], trades: Sequence[dict[str, Any]], now: datetime
    ) -> list[OrderUpdate]:
        try:
            of_order: dict[str, list[dict[str, Any]]] = defaultdict(list)
            for trade in trades:
                of_order[str(trade.get("order_id"))].append(trade)
            ours = [row for row in rows if self._ours(row)]
            return [mapping.order_update(row, now, of_order[str(row.get("order_id"))]) for row in ours]
        except UnreadableRow as error:
            raise BrokerUnavailable(f"Zerodha's order book cannot be read: {error}.") from error

    def _positions(self, answer: dict[str, Any]) -> list[BrokerPosition]:
        try:
            net = answer.get("net")
            if isinstance(net, list):
                answer = answer | {"net": [row for row in net if self._ours(row)]}
            return mapping.positions(answer)
        except UnreadableRow as error:
            raise BrokerUnavailable(f"Zerodha's positions cannot be read: {error}.") from error

    async def _price_and_tell(self, row: dict[str, Any], update: OrderUpdate) -> None:
        try:
            trades = await self._rest.order_trades(update.order_id)
            priced = mapping.order_update(row, self._time.now(), trades)
        except (BrokerError, UnreadableRow) as error:
            log.warning("The price of a part fill of order %s is not known yet: %s", update.order_id, error)
            self._tell(update)
        else:
            self._tell(self._memory.heard(priced, self._time.now()))

    def _ours(self, row: dict[str, Any]) -> bool:
        exchange = str(row.get("exchange"))
        if mapping.ours(row):
            return True
        if exchange not in self._foreign:
            self._foreign.add(exchange)
            log.info("Orders and positions on %s are left to their owner", exchange)
        return False

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    def _tell(self, update: OrderUpdate) -> None:
        for sink in self._sinks:
            sink(update)


def _always(request: OrderRequest) -> str:
    del request
    return ""


def _protection(order_type: OrderType) -> int | None:
    return AUTOMATIC if order_type in _PROTECTED else None


def _fills(rows: Sequence[dict[str, Any]]) -> dict[str, object]:
    return {
        str(row.get("order_id")): row.get("filled_quantity") for row in rows if row.get("filled_quantity")
    }
