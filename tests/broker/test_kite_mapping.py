"""Kite's rows in our words: the official samples, and what they do not show."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trader.broker.zerodha.mapping import (
    UnreadableRow,
    average_of,
    funds,
    holdings,
    moment,
    needs_trades,
    number,
    order_update,
    ours,
    positions,
)
from trader.domain.money import ZERO
from trader.domain.order import BrokerPosition, BrokerStatus, OrderType, Product, Side
from trader.domain.times import IST

MOCKS = Path(__file__).resolve().parents[2].parent / "shared" / "kite-mocks"
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=IST)
ROW = {
    "order_id": "1914227164488687616", "status": "OPEN", "status_message": None, "status_message_raw": None,
    "order_timestamp": "2026-11-23 09:20:01", "exchange_update_timestamp": None, "exchange_timestamp": None,
    "exchange": "NSE", "tradingsymbol": "INFY", "order_type": "LIMIT", "transaction_type": "BUY",
    "product": "MIS", "quantity": 10, "price": 1500.1, "trigger_price": 0, "average_price": 0,
    "filled_quantity": 0, "tag": "M1", "tags": ["M1"],
}  # fmt: skip


def sample(name: str) -> Any:
    path = MOCKS / name
    if not path.exists():
        pytest.skip(f"The official samples are not at {MOCKS}")
    body = json.loads(path.read_text())
    return body.get("data", body)


def row(**changes: object) -> dict[str, Any]:
    return ROW | changes


# -- the official samples --------------------------------------------------------------------------------


def test_the_sample_book_is_read_whole() -> None:
    rows = sample("orders.json")
    updates = [order_update(one, NOW) for one in rows]
    assert [update.order_id for update in updates] == [one["order_id"] for one in rows]
    first, bought = updates[0], updates[1]
    assert (first.status, first.filled_quantity, first.average_price) == (BrokerStatus.CANCELLED, 0, ZERO)
    assert first.at == datetime(2021, 5, 31, 9, 18, 58, tzinfo=IST)  # its latest time
    assert (bought.key, bought.side, bought.product) == ("NSE:IOC", Side.BUY, Product.CNC)
    assert (bought.price, bought.average_price, bought.trigger_price) == (
        Decimal("109.4"),
        Decimal("109.4"),
        None,
    )
    assert all(update.status.final for update in updates if update.status is not BrokerStatus.OPEN)
    assert {update.tag for update, one in zip(updates, rows, strict=True) if one["tag"] is None} == {None}


def test_the_sample_history_of_one_order_ends_where_the_order_did() -> None:
    updates = [order_update(one, NOW) for one in sample("order_info.json")]
    assert len({update.order_id for update in updates}) == 1
    assert updates[0].status is BrokerStatus.PENDING
    assert updates[-1].status.final or updates[-1].status is BrokerStatus.OPEN
    filled = [update.filled_quantity for update in updates]
    assert filled == sorted(filled)


def test_the_sample_postback_is_an_order_like_any_other() -> None:
    update = order_update(sample("postback.json"), NOW)
    assert (update.order_id, update.status) == ("220303000308932", BrokerStatus.COMPLETE)
    assert (update.filled_quantity, update.average_price) == (1, Decimal(470))
    assert update.price is None
    assert update.at == datetime(2022, 3, 3, 9, 24, 25, tzinfo=IST)


@pytest.mark.parametrize("name", ["trades.json", "order_trades.json"])
def test_the_sample_trades_make_an_average(name: str) -> None:
    for trade in sample(name):
        assert average_of([trade], trade["quantity"]) == Decimal(str(trade["average_price"]))


def test_the_sample_positions_are_read_whole() -> None:
    net = sample("positions.json")["net"]
    read = positions(sample("positions.json"))
    assert len(read) == len(net)
    assert read[0] == BrokerPosition(read[0].key, Product.NRML, 1, Decimal("161.05"))
    assert read[0].key == "MCX:LEADMINI17DECFUT"
    covered = next(one for one, given in zip(read, net, strict=True) if given["product"] == "CO")
    assert covered.product is Product.MIS


def test_the_sample_margins_and_holdings_are_read_whole() -> None:
    money = funds(sample("margins.json"))
    assert (money.cash, money.available) == (Decimal("245431.60"), Decimal("99725.05"))
    assert money.used == Decimal("145706.55")
    held = holdings(sample("holdings.json"))
    assert [(one.key, one.product, one.quantity, one.t1_quantity) for one in held][:3] == [
        ("NSE:AARON", Product.CNC, 1, 0),
        ("NSE:AARON", Product.MTF, 1000, 0),
        ("BSE:SBIN", Product.CNC, 16, 0),
    ]
    assert held[2].average_price == Decimal("801.78125")


# -- statuses, numbers, times ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "read"),
    [
        ("OPEN", BrokerStatus.OPEN),
        ("TRIGGER PENDING", BrokerStatus.TRIGGER_PENDING),
        ("COMPLETE", BrokerStatus.COMPLETE),
        ("REJECTED", BrokerStatus.REJECTED),
        ("CANCELLED", BrokerStatus.CANCELLED),
        ("CANCELLED AMO", BrokerStatus.CANCELLED),
        *(
            (status, BrokerStatus.PENDING)
            for status in (
                "PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "MODIFY VALIDATION PENDING",
                "MODIFY PENDING", "MODIFIED", "CANCEL PENDING", "AMO REQ RECEIVED", "UPDATE", "SOMETHING NEW",
                "", None,
            )
        ),
    ],
)  # fmt: skip
def test_a_status_nobody_knows_is_pending(status: str | None, read: BrokerStatus) -> None:
    assert order_update(row(status=status), NOW).status is read


@pytest.mark.parametrize("kind", ["SL", "SL-M", "MARKET", "LIMIT"])
def test_an_order_is_read_field_by_field(kind: str) -> None:
    update = order_update(row(order_type=kind, trigger_price=1490.05, transaction_type="SELL"), NOW)
    assert (update.order_type, update.side) == (OrderType(kind), Side.SELL)
    assert (update.price, update.trigger_price) == (Decimal("1500.1"), Decimal("1490.05"))
    assert (update.order_id, update.tag, update.quantity) == ("1914227164488687616", "M1", 10)
    assert update.at == datetime(2026, 11, 23, 9, 20, 1, tzinfo=IST)


def test_the_brokers_words_are_kept_the_clean_ones_first() -> None:
    assert (
        order_update(row(status_message="Too dear.", status_message_raw="RMS:x"), NOW).message == "Too dear."
    )
    assert order_update(row(status_message_raw="RMS:x"), NOW).message == "RMS:x"
    assert order_update(row(), NOW).message == ""


def test_a_row_without_times_is_dated_now_and_one_with_a_datetime_is_india_time() -> None:
    bare = {name: value for name, value in ROW.items() if not name.endswith("timestamp")}
    assert order_update(bare, NOW).at == NOW
    naive = datetime(2026, 11, 23, 9, 30)  # noqa: DTZ001 - as the kiteconnect package gives it
    assert order_update(row(order_timestamp=naive), NOW).at == naive.replace(tzinfo=IST)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("09:16:39", None), ("", None), (None, None), ("0001-01-01 00:00:00x", None), (7, None),
        ("2026-11-23 09:16:39", datetime(2026, 11, 23, 9, 16, 39, tzinfo=IST)),
        ("2026-11-23T09:16:39+05:30", datetime(2026, 11, 23, 9, 16, 39, tzinfo=IST)),
        ("2026-11-23T03:46:39+00:00", datetime(2026, 11, 23, 9, 16, 39, tzinfo=IST)),
    ],
)  # fmt: skip
def test_times_are_india_times_or_none(value: object, read: datetime | None) -> None:
    at = moment(value)
    assert at == read
    assert at is None or at.tzinfo is IST


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_a_number_keeps_its_shortest_text(value: float) -> None:
    assert number({"x": value}, "x") == Decimal(repr(value))
    assert str(number({"x": -0.0}, "x")) in ("0", "0.0")


# -- averages --------------------------------------------------------------------------------------------


def trade(quantity: int, price: float, number: int = 1, second: int = 0) -> dict[str, Any]:
    at = f"2026-11-23 09:20:{second:02}"
    return {"trade_id": str(number), "quantity": quantity, "average_price": price, "exchange_timestamp": at}


def test_a_part_fill_takes_its_average_from_the_trades_up_to_what_the_row_tells() -> None:
    trades = [trade(2, 103.0, 10, 2), trade(3, 100.0, 8, 1), trade(1, 101.0, 9, 1)]
    part = row(filled_quantity=4)
    assert needs_trades(part)
    assert order_update(part, NOW, trades).average_price == (300 + 101) / Decimal(4)
    assert order_update(row(filled_quantity=6), NOW, trades).average_price == (401 + 206) / Decimal(6)
    assert order_update(part, NOW).average_price == ZERO  # unknown, and said so
    assert not needs_trades(row(filled_quantity=4, average_price=100.5))
    assert not needs_trades(row())
    told = row(filled_quantity=4, average_price=100.5)
    assert order_update(told, NOW, trades).average_price == Decimal("100.5")


# -- rows from elsewhere, and rows gone wrong ------------------------------------------------------------


@pytest.mark.parametrize(("tag", "read"), [("M1", "M1"), (None, None), ("", None), (7, None)])
def test_only_our_own_mark_is_a_tag(tag: object, read: str | None) -> None:
    assert order_update(row(tag=tag, tags=["mktp", "mktp:2.00"]), NOW).tag == read


def test_intraday_products_of_old_are_intraday_and_foreign_exchanges_are_told_apart() -> None:
    assert [order_update(row(product=name), NOW).product for name in ("CO", "BO", "MTF")] == [
        Product.MIS, Product.MIS, Product.MTF,
    ]  # fmt: skip
    assert [ours(row(exchange=name)) for name in ("NSE", "BFO", "MCX", "CDS", None)] == [
        True, True, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"order_id": 1914227164488687616}, "Expected text as order_id"),
        ({"order_id": ""}, "Expected text as order_id"),
        ({"quantity": "ten"}, "Expected a number as quantity, came 'ten'"),
        ({"quantity": 1.5}, "Expected a whole number as quantity"),
        ({"filled_quantity": True}, "Expected a number as filled_quantity"),
        ({"price": float("nan")}, "Expected a number as price"),
        ({"order_type": "TWAP"}, "Expected one of MARKET, LIMIT, SL, SL-M as order_type, came 'TWAP'"),
        ({"transaction_type": None}, "Expected one of BUY, SELL as transaction_type, came None"),
        ({"product": "XYZ"}, "as product"),
        ({"exchange": None}, "Expected text as exchange"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_meant_says_which_field(changes: dict[str, object], words: str) -> None:
    with pytest.raises(UnreadableRow, match=words):
        order_update(row(**changes), NOW)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(ROW)), st.none() | st.text() | st.integers() | st.floats()))
def test_garbage_is_read_or_unreadable_and_nothing_else(changes: dict[str, Any]) -> None:
    try:
        order_update(ROW | changes, NOW)
    except UnreadableRow:
        return


@pytest.mark.parametrize("answer", [{}, {"net": None}, {"day": []}])
def test_positions_without_the_net_ones_are_unreadable_rather_than_flat(answer: dict[str, Any]) -> None:
    with pytest.raises(UnreadableRow, match="a list of net ones"):
        positions(answer)


def test_funds_without_the_equity_segment_are_unreadable() -> None:
    with pytest.raises(UnreadableRow, match="Expected equity"):
        funds({"commodity": {}})
    with pytest.raises(UnreadableRow, match="Expected utilised"):
        funds({"equity": {"available": {}}})


def test_holdings_are_less_what_was_sold_today() -> None:
    share = {"exchange": "NSE", "tradingsymbol": "INFY", "average_price": 1400.5}
    rows = [
        share | {"quantity": 10, "used_quantity": 4, "t1_quantity": 2},
        share | {"quantity": 10, "used_quantity": 11, "t1_quantity": 2},
        share | {"quantity": 10, "used_quantity": 10, "t1_quantity": 0},
    ]
    assert [(h.quantity, h.t1_quantity, h.sold_today) for h in holdings(rows)] == [
        (6, 2, 4),
        (0, 1, 11),
        (0, 0, 10),
    ]


def test_shares_bought_on_margin_are_holdings_of_their_own() -> None:
    share = {"exchange": "NSE", "tradingsymbol": "INFY", "average_price": 1400.5, "t1_quantity": 0}
    rows = [
        share
        | {
            "quantity": 3,
            "used_quantity": 0,
            "mtf": {"quantity": 10, "used_quantity": 4, "average_price": 1500},
        },
        share
        | {"quantity": 0, "used_quantity": 0, "mtf": {"quantity": 0, "used_quantity": 0, "average_price": 0}},
    ]
    assert [(h.product, h.quantity, h.average_price, h.sold_today) for h in holdings(rows)] == [
        (Product.CNC, 3, Decimal("1400.5"), 0),
        (Product.MTF, 6, Decimal(1500), 4),
    ]
