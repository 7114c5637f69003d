"""What a trade costs at Zerodha: an order, an execution, a day.

Three roundings, each what its user sees: an order's lines go to the paisa, an execution adds what it changes
in them, and the day's note rounds sums of exact lines, STT to the rupee; ``ContractNote.rounding`` is the
difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

from trader.domain.errors import InvalidInput
from trader.domain.instrument import Exchange, InstrumentKey
from trader.domain.money import ZERO, to_paise
from trader.domain.order import Product, Side
from trader.domain.times import ist
from trader.market.note import DELIVERED, Breakdown, ContractNote, Executed, add_up
from trader.market.rates import Kind, Rates, Tariff, kind_of

__all__ = ["Breakdown", "Charges", "ContractNote", "Executed"]


class Charges:
    def __init__(self, tariff: Tariff) -> None:
        self.tariff = tariff

    @classmethod
    def load(cls) -> Charges:
        """The rates that ship with Munim."""
        return cls(Tariff.load())

    def order(self, executed: Executed) -> Breakdown:
        """One executed order by its own product, each line to the paisa, with the fee where the broker
        squared off. Nothing is netted and nothing delivered here."""
        return self._booked(executed, 0)

    def exact(self, executed: Executed, matched: int = 0) -> Breakdown:
        """The contract note's lines of one order, unrounded, as Kite's virtual contract note gives them.
        ``matched`` units of a delivery order were traded back the same day: charged as intraday."""
        rates = self._rates(executed, kind_of(executed.segment, executed.product))
        if not matched:
            return _lines(rates, executed.side, executed.value, rates.broker(executed.value))
        intraday = self._rates(executed, Kind.INTRADAY)
        whole = matched >= executed.quantity
        part = executed.value if whole else executed.value * matched / executed.quantity
        rest = executed.value - part
        if executed.product is Product.MTF:  # its own brokerage, whatever becomes of the shares
            brokerage = rates.broker(executed.value)
        else:
            brokerage = intraday.broker(part) + rates.broker(rest)
        return _lines(intraday, executed.side, part, ZERO) + _lines(rates, executed.side, rest, brokerage)

    def added(self, before: Executed | None, after: Executed, others: Sequence[Executed]) -> Decimal:
        """Rupees an execution added to the day's charges; ``before`` and ``after`` are its order without and
        with it. ``others`` are the day's other executed orders of the same key: delivery bought and sold the
        same day becomes intraday and the depository charges a scrip once, so it may be negative.

        Added up over a day's executions it is the sum of the orders' own charges in that day's note and the
        depository's.
        """
        if not after.delivery:
            paid = self.order(before).total if before is not None else ZERO
            return self.order(after).total - paid
        rest = [o for o in others if o.tag != after.tag and o.key == after.key and o.delivery]
        now = self._scrip([*rest, after])
        return now - self._scrip([*rest, before] if before is not None else rest)

    def day(self, orders: Sequence[Executed], on: date | None = None) -> ContractNote:
        """The note of one day's executed orders, all of them; an empty day needs its name in ``on``."""
        day = _only_day(orders, on)
        chapters: defaultdict[str, Breakdown] = defaultdict(Breakdown)
        booked: list[tuple[Executed, Breakdown]] = []
        dp = ZERO
        for order, units in _matched(orders):
            if order.value:
                exact = self.exact(order, units)
                chapters[order.chapter] += exact
                booked.append((order, self._rounded(order, exact)))
            else:
                booked.append((order, Breakdown()))
        for scrip in _scrips(orders).values():
            dp += self._depository(scrip)
        return ContractNote(
            day=day,
            segments={name: exact.noted() for name, exact in chapters.items()},
            ledger=Breakdown(dp=dp, rms=add_up(b for _, b in booked).rms),
            orders=booked,
        )

    def exercised(self, on: date, *, intrinsic: Decimal, settlement: Decimal) -> Decimal:
        """STT in rupees of the buyer of an option exercised on ``on``. ``intrinsic``: what it was in the
        money, ``settlement``: the underlying's price, both times quantity; until 31 Aug 2019 the tax was on
        the latter."""
        rate, of_intrinsic = self.tariff.exercise(on)
        return to_paise(rate * (intrinsic if of_intrinsic else settlement))

    def _scrip(self, orders: Sequence[Executed]) -> Decimal:
        """All charges so far of one key's delivery orders of a day."""
        booked = sum((self._booked(o, units).total for o, units in _matched(orders)), ZERO)
        return booked + self._depository(orders)

    def _depository(self, orders: Sequence[Executed]) -> Decimal:
        """The depository's charge for one scrip's delivery orders of a day: once, if shares left the account,
        even shares bought yesterday."""
        for product in DELIVERED:
            if sum(o.quantity * o.side.sign for o in orders if o.product is product) < 0:
                return self.tariff.debit("dp", _day(orders[0]))
        return ZERO

    def _booked(self, order: Executed, matched: int) -> Breakdown:
        if not order.value:
            return Breakdown()
        return self._rounded(order, self.exact(order, matched))

    def _rounded(self, order: Executed, lines: Breakdown) -> Breakdown:
        """As it is booked: ``lines`` to the paisa, with the fee where the broker squared off."""
        if order.by_broker:
            lines += Breakdown(rms=self.tariff.debit("rms", _day(order)))
        return lines.rounded()

    def _rates(self, order: Executed, kind: Kind) -> Rates:
        underlying = order.underlying if order.exchange is Exchange.BFO else ""
        return self.tariff.rates(order.exchange, kind, underlying, _day(order))


def _lines(rates: Rates, side: Side, value: Decimal, brokerage: Decimal) -> Breakdown:
    transaction, sebi = value * rates.transaction, value * rates.sebi
    taxed = brokerage + transaction + sebi if rates.gst_on_sebi else brokerage + transaction
    return Breakdown(
        brokerage,
        value * rates.stt(side),
        transaction,
        value * rates.ipft,
        sebi,
        value * rates.stamp(side),
        taxed * rates.gst,
    )


def _day(order: Executed) -> date:
    return ist(order.at).date()


def _only_day(orders: Sequence[Executed], on: date | None) -> date:
    days = {_day(o) for o in orders} | ({on} if on else set())
    if len(days) != 1:
        found = ", ".join(str(d) for d in sorted(days)) or "none"
        raise InvalidInput(f"Expected the orders of one day for a contract note, were of: {found}")
    return days.pop()


def _place(order: Executed) -> tuple[datetime, str]:
    return order.at, order.tag


def _scrips(orders: Sequence[Executed]) -> dict[InstrumentKey, list[Executed]]:
    """Delivery orders by what they trade."""
    scrips: defaultdict[InstrumentKey, list[Executed]] = defaultdict(list)
    for order in orders:
        if order.delivery:
            scrips[order.key].append(order)
    return scrips


def _matched(orders: Sequence[Executed]) -> Iterator[tuple[Executed, int]]:
    """Each order in the day's order, with the units of it that were for delivery but bought and sold the same
    day: the first bought against the first sold, within a key and product."""
    units: defaultdict[tuple[InstrumentKey, Product, Side], int] = defaultdict(int)
    for order in orders:
        if order.delivery:
            units[order.key, order.product, order.side] += order.quantity
    left = {
        (key, product, side): min(total, units.get((key, product, side.opposite), 0))
        for (key, product, side), total in units.items()
    }
    for order in sorted(orders, key=_place):
        book = order.key, order.product, order.side
        part = min(left.get(book, 0), order.quantity)
        if part:
            left[book] -= part
        yield order, part
