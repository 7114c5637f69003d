"""What a round trip would cost before anybody makes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from functools import cache

from handlers.common import tag_of
from handlers.message import Line, Pre, Reply
from handlers.render.figures import price
from handlers.render.table import ends
from handlers.render.text import one_line
from handlers.symbols import leading_symbol
from handlers.typed import plain_digits, rupee_amount, whole_number
from trader.domain.counting import counted
from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.instrument import Instrument, Segment
from trader.domain.money import decimal_of, rupees
from trader.domain.order import Product, Side
from trader.domain.times import day_text, ist
from trader.market.charges import Charges
from trader.market.note import Breakdown, Executed, add_up
from trader.market.shaping import limit_price, slices
from trader.service.port import DeskPort

_DERIVATIVES = (Segment.FUTURES, Segment.OPTIONS)
_MOST_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """Buying ``quantity`` at ``price`` and selling it again."""

    instrument: Instrument
    quantity: int
    price: Decimal
    product: Product
    asked: Decimal | None = None  # the price that was typed, where it was off the tick

    @property
    def sizes(self) -> list[int]:
        """The orders it takes each way, in units: none above the exchange's freeze quantity. Raises
        InvalidInput where it takes too many."""
        return slices(self.quantity, self.instrument.lot_size, self.instrument.freeze_quantity)


def what_if(desk: DeskPort, raw: str, usage: str) -> Reply:
    """The charges of a round trip, and the move that pays for them. Raises InvalidInput."""
    plan = _plan(desk, raw, usage)
    at = ist(desk.now())
    cost = round_trip(plan, plan.price, at)
    ticks = break_even(plan, at)
    move = ticks * plan.instrument.tick_size
    head = f"{tag_of(desk)} · what it would cost"
    lines = [
        f"{plan.instrument.symbol} {plan.product}",
        ends(f"{plan.quantity} × {price(plan.price)}", price(plan.price * plan.quantity)),
        *_sliced(plan),
        *(ends(f" {label}", price(amount)) for label, amount in cost.lines()),
        ends("Buying and selling", rupees(cost.total)),
        ends("Pays from a move of", rupees(move)),
        ends(f"{ticks} ticks of {price(plan.instrument.tick_size)}", f"{100 * move / plan.price:.3f} %"),
        ends("Bought, break-even at", price(plan.price + move)),
    ]
    return Reply((Line(head, bold=True), Pre("\n".join(lines)), Line(_note(plan, at))))


def _note(plan: Plan, at: datetime) -> str:
    rounded = ""
    if plan.asked is not None:
        tick = price(plan.instrument.tick_size)
        rounded = f"{price(plan.asked)} is off the tick of {tick}: reckoned at {price(plan.price)}. "
    held = "sold the same day" if _same_day(plan.product) else "delivered, and sold on another day"
    interest = " Interest and pledge come on top." if plan.product is Product.MTF else ""
    return f"{rounded}At the rates of {day_text(at.date())}, {held}. Nothing was ordered.{interest}"


def _sliced(plan: Plan) -> list[str]:
    """How many orders it takes where one is not enough: the broker bills each."""
    sizes = plan.sizes
    return [f" {counted(len(sizes), 'order')} each way, {sizes[0]} at most"] if len(sizes) > 1 else []


def round_trip(plan: Plan, sold_at: Decimal, at: datetime) -> Breakdown:
    """Both orders as contract notes have them: one note within a day, two when shares are delivered."""
    rates = _charges()
    bought, sold = (
        [Executed(
            tag=f"{side}{n}", key=plan.instrument.key, exchange=plan.instrument.exchange,
            segment=plan.instrument.segment, underlying=plan.instrument.underlying, product=plan.product,
            side=side, quantity=size, value=value * size, at=at,
        ) for n, size in enumerate(plan.sizes)]
        for side, value in ((Side.BUY, plan.price), (Side.SELL, sold_at))
    )  # fmt: skip
    if _same_day(plan.product):
        return rates.day([*bought, *sold]).breakdown
    return add_up([rates.day(bought).breakdown, rates.day(sold).breakdown])


def break_even(plan: Plan, at: datetime) -> int:
    """The least whole ticks a long must gain so that nothing is lost. Selling higher costs a little more."""
    tick = plan.instrument.tick_size
    ticks = 0
    for _ in range(_MOST_STEPS):
        cost = round_trip(plan, plan.price + ticks * tick, at).total
        needed = int((cost / (plan.quantity * tick)).to_integral_value(ROUND_CEILING))
        if needed <= ticks:
            break
        ticks = needed
    return ticks


def _same_day(product: Product) -> bool:
    return product not in (Product.CNC, Product.MTF)


@cache
def _charges() -> Charges:
    return Charges.load()


# -- reading --------------------------------------------------------------------------------------------


def _plan(desk: DeskPort, raw: str, usage: str) -> Plan:
    symbol, words = leading_symbol(raw)
    instrument = desk.find(symbol)
    if instrument.segment is Segment.INDEX:
        raise InvalidInput(f"{instrument.symbol} is an index; it cannot be traded, and costs nothing.")
    numbers = [word for word in words if not _is_word(word)]
    rest = [word for word in words if _is_word(word)]
    if not numbers:
        raise InvalidInput(f"{instrument.symbol}: how many? Usage: {usage}")
    if len(numbers) > 2 or len(rest) > 1:
        raise InvalidInput(f"I don't know what {one_line(words[-1], 40)!r} means here. Usage: {usage}")
    product = _product(instrument, rest[0] if rest else "")
    asked = _price(desk, instrument, numbers[1:])
    at_price = limit_price(instrument, Side.BUY, asked)
    off = asked if at_price != asked else None
    return Plan(instrument, _quantity(instrument, numbers[0]), at_price, product, off)


def _is_word(word: str) -> bool:
    return word.isalpha()


def _quantity(instrument: Instrument, text: str) -> int:
    plain_digits("quantity", text)
    quantity = whole_number(text)
    if quantity is None:
        raise InvalidInput(
            f"quantity is {one_line(text, 40)}: expected a whole number from 1 to 99,99,99,999"
        )
    if quantity % instrument.lot_size:
        near = max(quantity // instrument.lot_size, 1) * instrument.lot_size
        raise InvalidInput(
            f"quantity is {quantity}: {instrument.symbol} trades in lots of {instrument.lot_size}; try {near}"
        )
    return quantity


def _price(desk: DeskPort, instrument: Instrument, texts: list[str]) -> Decimal:
    if not texts:
        tick = desk.quote(instrument.key).tick
        if tick is None or tick.last <= 0:
            raise InvalidInput(f"{instrument.symbol} has no price yet; give one behind the quantity.")
        return decimal_of(tick.last)
    plain_digits("price", texts[0])
    amount = rupee_amount(texts[0])
    if amount is None:
        raise InvalidInput(f"price is {one_line(texts[0], 40)}: expected rupees above 0, like 1420.50")
    return amount


def _product(instrument: Instrument, text: str) -> Product:
    derivative = instrument.segment in _DERIVATIVES
    known = (Product.MIS, Product.NRML) if derivative else (Product.MIS, Product.CNC, Product.MTF)
    if not text:
        return Product.MIS
    if text.upper() not in known:
        raise UnknownName(f"product of {instrument.symbol}", text[:40], known)
    return Product(text.upper())
