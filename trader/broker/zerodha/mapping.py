"""Kite's rows in our words (kite.md 5, 6, 9, 11). Rows of REST, of the stream and of a postback alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from trader.domain.funds import Funds, Holding
from trader.domain.gtt import GttId, GttRow, GttStatus
from trader.domain.instrument import Exchange, InstrumentKey
from trader.domain.money import ZERO, to_paise
from trader.domain.order import (
    BrokerPosition,
    BrokerStatus,
    Gtt,
    OrderId,
    OrderType,
    OrderUpdate,
    Product,
    Side,
    Tag,
)
from trader.domain.position import Traded
from trader.domain.times import IST, ist

Row = Mapping[str, Any]

_STATUS = {
    "OPEN": BrokerStatus.OPEN,
    "TRIGGER PENDING": BrokerStatus.TRIGGER_PENDING,
    "COMPLETE": BrokerStatus.COMPLETE,
    "CANCELLED": BrokerStatus.CANCELLED,
    "CANCELLED AMO": BrokerStatus.CANCELLED,
    "REJECTED": BrokerStatus.REJECTED,
}
# Cover and bracket orders are intraday by nature, on the broker's margin, and squared off like MIS.
_INTRADAY = ("CO", "BO")
_TIMES = ("exchange_update_timestamp", "exchange_timestamp", "order_timestamp")
_OURS = frozenset(Exchange)


class UnreadableRow(ValueError):
    """A row that is not what Kite documents; its text says which field and what came."""


# -- orders ----------------------------------------------------------------------------------------------


def order_update(row: Row, now: datetime, trades: Sequence[Row] = ()) -> OrderUpdate:
    """``trades``: those of this order, for the average that Kite promises of complete orders alone.
    ``now`` dates a row without times. UnreadableRow."""
    filled = _whole(row, "filled_quantity")
    return OrderUpdate(
        order_id=OrderId(_text(row, "order_id")),
        tag=_tag(row),
        key=_key(row),
        side=_word(row, "transaction_type", Side),
        product=_product(row),
        order_type=_word(row, "order_type", OrderType),
        status=_STATUS.get(str(row.get("status")), BrokerStatus.PENDING),
        quantity=_whole(row, "quantity"),
        filled_quantity=filled,
        average_price=(number(row, "average_price") or average_of(trades, filled)) if filled else ZERO,
        at=_latest(row, now),
        price=number(row, "price") or None,
        trigger_price=number(row, "trigger_price") or None,
        message=str(row.get("status_message") or row.get("status_message_raw") or ""),
    )


def traded(rows: Iterable[Row]) -> list[Traded]:
    """The trade book, order by order. UnreadableRow."""
    of_order: dict[OrderId, list[Row]] = {}
    for row in rows:
        of_order.setdefault(OrderId(_text(row, "order_id")), []).append(row)
    sums = []
    for order_id, trades in of_order.items():
        units = sum(_whole(trade, "quantity") for trade in trades)
        sums.append(Traded(order_id, len(trades), units, average_of(trades, units)))
    return sums


def needs_trades(row: Row) -> bool:
    """Whether part of it is filled and its average is not told."""
    return _whole(row, "filled_quantity") > 0 and not number(row, "average_price")


def average_of(trades: Iterable[Row], filled: int) -> Decimal:
    """Of the first ``filled`` units, for the trades may have been read after the order; 0 without trades."""
    value, left = ZERO, filled
    for trade in sorted(trades, key=_trade_order):
        units = min(left, _whole(trade, "quantity"))
        value += units * number(trade, "average_price")
        left -= units
    return value / (filled - left) if filled > left else ZERO


def ours(row: Row) -> bool:
    """Whether it is of an exchange Munim trades on; currency and commodity count in lots and multipliers."""
    return row.get("exchange") in _OURS


# -- the account -----------------------------------------------------------------------------------------


def positions(answer: Row) -> list[BrokerPosition]:
    """The net ones, closed ones with quantity 0 included; one for each instrument and product."""
    rows = answer.get("net")
    if not isinstance(rows, list):
        raise UnreadableRow(f"Expected positions with a list of net ones, came {sorted(answer)}")
    return [
        BrokerPosition(_key(row), _product(row), _whole(row, "quantity"), number(row, "average_price"))
        for row in rows
    ]


def funds(answer: Row) -> Funds:
    """Of the equity segment. What sales bring tomorrow Kite does not tell apart."""
    equity = _part(answer, "equity")
    available, utilised = _part(equity, "available"), _part(equity, "utilised")
    return Funds(
        cash=to_paise(number(available, "cash") + number(available, "intraday_payin")),
        available=to_paise(number(equity, "net")),
        used=to_paise(number(utilised, "debits")),
    )


def holdings(rows: Iterable[Row]) -> list[Holding]:
    """Less what was sold today, from the settled ones first; those of which nothing is left included. A row
    has what was bought on margin in a part of its own."""
    held = []
    for row in rows:
        sold = _whole(row, "used_quantity")
        settled = _whole(row, "quantity") - sold
        coming = _whole(row, "t1_quantity") + min(settled, 0)
        if settled > 0 or coming > 0 or sold > 0:
            average = number(row, "average_price")
            held.append(Holding(_key(row), max(settled, 0), max(coming, 0), average, sold))
        margin = row.get("mtf")
        if isinstance(margin, Mapping) and (units := _whole(margin, "quantity")):
            used, average = _whole(margin, "used_quantity"), number(margin, "average_price")
            held.append(Holding(_key(row), max(units - used, 0), 0, average, used, Product.MTF))
    return held


# -- triggers that outlive the day (kite.md 9) --------------------------------------------------------------


def gtt_rows(rows: Iterable[Row]) -> list[GttRow]:
    """The single-leg ones of our exchanges that become a LIMIT order; Munim makes no others."""
    return [gtt_row(row) for row in rows if _plain_gtt(row)]


def _plain_gtt(row: Row) -> bool:
    condition, orders = row.get("condition"), row.get("orders")
    return (
        row.get("type") == "single"
        and isinstance(condition, Mapping)
        and ours(condition)
        and isinstance(orders, list)
        and len(orders) == 1
        and isinstance(orders[0], Mapping)
        and orders[0].get("order_type") == "LIMIT"
        and orders[0].get("product") in set(Product)
    )


def gtt_row(row: Row) -> GttRow:
    condition, order = row["condition"], row["orders"][0]
    result = order.get("result")
    became = result.get("order_result") if isinstance(result, Mapping) else None
    became = became if isinstance(became, Mapping) else {}
    values = condition.get("trigger_values")
    if not isinstance(values, list) or len(values) != 1:
        raise UnreadableRow(f"Expected one value among trigger_values, came {values!r}")
    status = str(row.get("status"))
    return GttRow(
        GttId(str(_whole(row, "id"))),
        Gtt(
            _key(condition),
            _word(order, "transaction_type", Side),
            _whole(order, "quantity"),
            _product(order),
            number({"trigger": values[0]}, "trigger"),
            number(order, "price"),
        ),
        GttStatus(status) if status in ("active", "triggered") else GttStatus.ENDED,
        moment(row.get("created_at")),
        OrderId(str(became["order_id"])) if became.get("order_id") else None,
        str(became.get("rejection_reason") or ("" if became.get("order_id") else _failure(became))),
    )


def _failure(became: Row) -> str:
    return f"The broker says: {became['status']}." if became.get("status") == "failed" else ""


# -- values ----------------------------------------------------------------------------------------------


def number(row: Row, name: str) -> Decimal:
    """0 where there is none. JSON's numbers through their shortest text, so 101.1 stays 101.1; -0 is 0."""
    value = row.get(name)
    if value is None or value == "":
        return ZERO
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if isinstance(value, bool) or not amount.is_finite():
        raise UnreadableRow(f"Expected a number as {name}, came {value!r}")
    return amount + ZERO


def moment(value: object) -> datetime | None:
    """Kite's wall time in India, or None where it is none: a trade has a time of day without a date."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if len(value) >= 19 else None
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=IST) if value.tzinfo is None else ist(value)


def _latest(row: Row, now: datetime) -> datetime:
    told = [at for name in _TIMES if (at := moment(row.get(name))) is not None]
    return max(told, default=now)


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise UnreadableRow(f"Expected text as {name}, came {value!r}")
    return value


def _whole(row: Row, name: str) -> int:
    value = number(row, name)
    if value != int(value):
        raise UnreadableRow(f"Expected a whole number as {name}, came {value}")
    return int(value)


def _word(row: Row, name: str, kind: type[StrEnum]) -> Any:
    try:
        return kind(_text(row, name))
    except ValueError:
        known = ", ".join(str(one.value) for one in kind)
        raise UnreadableRow(f"Expected one of {known} as {name}, came {row.get(name)!r}") from None


def _product(row: Row) -> Product:
    if row.get("product") in _INTRADAY:
        return Product.MIS
    product: Product = _word(row, "product", Product)
    return product


def _key(row: Row) -> InstrumentKey:
    return InstrumentKey(f"{_text(row, 'exchange')}:{_text(row, 'tradingsymbol')}")


def _tag(row: Row) -> Tag | None:
    """``tags`` repeats it beside the broker's own marks, ``mktp`` and ``autoslice``."""
    tag = row.get("tag")
    return Tag(tag) if isinstance(tag, str) and tag else None


def _part(row: Row, name: str) -> Row:
    part = row.get(name)
    if not isinstance(part, Mapping):
        raise UnreadableRow(f"Expected {name} among {sorted(row)}")
    return part


def _trade_order(trade: Row) -> tuple[str, int, str]:
    trade_id = str(trade.get("trade_id"))
    return str(trade.get("exchange_timestamp") or trade.get("fill_timestamp")), len(trade_id), trade_id
