"""The client's account: money, what is held, and what the RMS lets through."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from sandbox.kite.errors import short_of_funds
from sandbox.kite.listings import Listing
from sandbox.kite.market import Market
from sandbox.kite.orders import Order, Trade
from sandbox.kite.portfolio import Holding, Position
from sandbox.kite.times import stamp

Json = dict[str, Any]
INTRADAY_LEVERAGE = 5  # SEBI's most for shares; futures and options have none
SPAN, EXPOSURE = 0.105, 0.02  # shares of the contract's value; the real SPAN is a file per day
Key = tuple[str, str]  # instrument key, product


class Account:
    """``cash`` is the opening balance. ``authorised`` False asks for the depository's TPIN on CNC sells."""

    def __init__(self, market: Market, cash: float = 1_000_000.0) -> None:
        self.market, self.cash = market, cash
        self.positions: dict[Key, Position] = {}
        self.holdings: dict[str, Holding] = {}
        self.authorised = True
        self.working: Callable[[], list[Order]] = list  # the exchange's open orders, set by the server

    # -- what the caller may put there

    def hold(self, symbol: str, quantity: int, average: float) -> Holding:
        listing = self.market.listings[symbol]
        holding = self.holdings[listing.key] = Holding(listing, quantity, average)
        return holding

    def carry(self, symbol: str, product: str, quantity: int, average: float) -> Position:
        """A position from yesterday."""
        listing = self.market.listings[symbol]
        position = self._position(listing, product)
        position.overnight, position.overnight_price, position.average = quantity, average, average
        position.close = self.market.quote(listing).close
        return position

    def drift(self, symbol: str, product: str, quantity: int, price: float) -> None:
        """Change a position without any order: a corporate action, or the broker's own correction."""
        listing = self.market.listings[symbol]
        self._position(listing, product).trade("BUY" if quantity > 0 else "SELL", abs(quantity), price)

    # -- trades

    def book(self, trade: Trade) -> None:
        order = trade.order
        self._position(order.listing, order.product).trade(order.side, trade.quantity, trade.price)
        if order.product == "CNC" and not order.is_buy and order.listing.key in self.holdings:
            holding = self.holdings[order.listing.key]
            holding.used += min(trade.quantity, holding.sellable)
        if order.product == "MTF" and not order.is_buy and order.listing.key in self.holdings:
            holding = self.holdings[order.listing.key]
            holding.margin_used += min(trade.quantity, holding.on_margin - holding.margin_used)

    def convert(self, listing: Listing, side: str, quantity: int, old: str, new: str) -> bool:
        """False when there is not as much to convert."""
        source = self.positions.get((listing.key, old))
        held = 0 if source is None else source.quantity * (1 if side == "BUY" else -1)
        if source is None or quantity <= 0 or held < quantity:
            return False
        price = source.average
        source.trade("SELL" if side == "BUY" else "BUY", quantity, price)
        self._position(listing, new).trade(side, quantity, price)
        return True

    def new_day(self, today: date) -> None:
        """Overnight: delivery becomes holdings, NRML is carried unless its contract ended, MIS does not
        survive."""
        for key, position in list(self.positions.items()):
            quote = self.market.quote(position.listing)
            if position.product == "CNC":
                self._deliver(position)
            if position.product == "MTF":
                self._deliver_on_margin(position)
            self.cash += position.profit(quote.last) if position.product != "CNC" else 0
            del self.positions[key]
            expiry = position.listing.expiry
            if position.product == "NRML" and position.quantity and (expiry is None or expiry >= today):
                self.carry(position.listing.key, "NRML", position.quantity, quote.last)
                self.positions[key].close = quote.last

    def _deliver(self, position: Position) -> None:
        self.cash += position.sold_value - position.bought_value
        holding = self.holdings.get(position.listing.key)
        if holding is None:
            holding = self.holdings[position.listing.key] = Holding(position.listing, 0, position.average)
        total = holding.quantity + holding.t1 + position.quantity
        if position.quantity > 0 and total:
            owned = holding.quantity + holding.t1
            holding.average = (owned * holding.average + position.quantity * position.average) / total
        holding.quantity, holding.t1, holding.used = total, 0, 0
        if total <= 0 and not holding.on_margin:
            del self.holdings[position.listing.key]

    def _deliver_on_margin(self, position: Position) -> None:
        key = position.listing.key
        holding = self.holdings.setdefault(key, Holding(position.listing, 0, 0.0))
        if position.quantity > 0:
            holding.margin_average = position.average
        holding.on_margin, holding.margin_used = max(holding.on_margin + position.quantity, 0), 0
        if not holding.on_margin and not holding.quantity + holding.t1:
            del self.holdings[key]

    # -- margins

    def required(self, listing: Listing, side: str, product: str, quantity: int, price: float) -> float:
        value = quantity * price
        if listing.is_derivative:
            # a buyer of options pays the premium; for the rest the underlying is taken as worth the strike
            if listing.is_option and side == "BUY":
                return value
            return quantity * (listing.strike or price) * (SPAN + EXPOSURE)
        return value / INTRADAY_LEVERAGE if product == "MIS" else value

    def blocked(self) -> float:
        """For positions, and for working orders that would add to one."""
        total = 0.0
        for position in self.positions.values():
            if position.product == "CNC":
                total += max(0.0, position.bought_value - position.sold_value)
            elif position.quantity:
                side = "BUY" if position.quantity > 0 else "SELL"
                total += self.required(
                    position.listing, side, position.product, abs(position.quantity), position.average
                )
        return total + sum(self.needed(order) for order in self.working())

    def needed(self, order: Order) -> float:
        """Margin for the part of an order that would open something."""
        if order.product == "CNC" and not order.is_buy:
            return 0.0
        position = self.positions.get((order.listing.key, order.product))
        held = 0 if position is None else position.quantity
        covered = max(0, -held if order.is_buy else held)
        opening = max(0, order.pending - covered)
        price = order.terms.price or order.terms.trigger_price or self.market.quote(order.listing).last
        return self.required(order.listing, order.side, order.product, opening, price)

    def realised(self) -> float:
        return sum(
            position.profit(self.market.quote(position.listing).last)
            for position in self.positions.values()
            if position.product != "CNC"
        )

    def available(self) -> float:
        return self.cash + self.realised() - self.blocked()

    def refusal(self, order: Order) -> tuple[str, str] | None:
        """The RMS's answer, cleaned and raw; None lets the order through."""
        required = self.needed(order)
        available = self.available() + (required if order in self.working() else 0)
        if required > available:
            text = short_of_funds(required, available)
            return (
                f"{text} Check the orderbook for open orders.",
                f"RMS:Margin Exceeds,Required:{required:.2f}, Available:{available:.2f} for entity account-"
                f"{order.account_id} across exchange across segment across product ",
            )
        return None

    # -- rows

    def margins(self) -> Json:
        blocked, profit = self.blocked(), self.realised()
        return {
            "equity": _segment(self.cash, self.available(), blocked, profit),
            "commodity": _segment(0.0, 0.0, 0.0, 0.0),
        }

    def position_rows(self) -> Json:
        net = [(one, self.market.quote(one.listing).last) for one in self.positions.values()]
        return {
            "net": [position.row(last) for position, last in net],
            "day": [
                position.row(last, day=True) for position, last in net if position.bought or position.sold
            ],
        }

    def holding_rows(self, today: date) -> list[Json]:
        rows = []
        for holding in self.holdings.values():
            quote = self.market.quote(holding.listing)
            row = holding.row(quote.last, quote.close)
            rows.append(row | {"authorised_date": row["authorised_date"] or f"{today} 00:00:00"})
        return rows

    def authorise(self) -> None:
        """The client entered the TPIN: everything held may be sold today."""
        self.authorised = True
        for holding in self.holdings.values():
            holding.authorised = holding.quantity
            holding.authorised_on = stamp(self.market.now)

    def _position(self, listing: Listing, product: str) -> Position:
        return self.positions.setdefault((listing.key, product), Position(listing, product))


def _segment(cash: float, net: float, blocked: float, profit: float) -> Json:
    return {
        "enabled": True,
        "net": net,
        "available": {
            "adhoc_margin": 0,
            "cash": cash,
            "opening_balance": cash,
            "live_balance": net,
            "collateral": 0,
            "intraday_payin": 0,
        },
        "utilised": {
            "debits": blocked - profit,
            "exposure": 0,
            "m2m_realised": profit,
            "m2m_unrealised": 0,
            "option_premium": 0,
            "payout": 0,
            "span": 0,
            "holding_sales": 0,
            "turnover": 0,
            "liquid_collateral": 0,
            "stock_collateral": 0,
            "delivery": 0,
        },
    }
