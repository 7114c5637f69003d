"""An order's life at the local Kite: what is refused, how it ends, what it trades at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from kiteconnect import exceptions as ex

from sandbox.kite import Pace
from tests.sandbox.kite_seat import MONDAY, Seat, seated

OPTION = "NFO:NIFTY26NOV24500CE"
LIFE = ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING"]


@pytest_asyncio.fixture
async def seat() -> AsyncIterator[Seat]:
    async with seated(pulse=None) as seat:
        price(seat, 1500.0)
        seat.server.market.price(OPTION, 110.0)
        yield seat


def price(seat: Seat, last: float, **book: Any) -> None:
    seat.server.market.price("NSE:INFY", last, **book)
    seat.server.settle()


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"order_type": "MARKET"}, "Market orders without market protection are not allowed via API"),
        ({"order_type": "SL-M", "trigger_price": 1490.0}, "Market orders without market protection"),
        ({"order_type": "MARKET", "market_protection": 101}, "market_protection"),
        ({"tag": "a" * 21}, "tag"),
        ({"price": 1500.05}, "tick size 0.1"),
        ({"order_type": "SL", "trigger_price": 1490.01}, "Trigger price should be a multiple"),
        ({"quantity": 0}, "positive"),
        ({"quantity": "65.0"}, r"failed to decode `quantity`, got: `65.0` \(expected int\)"),
        ({"quantity": True}, "expected int"),
        ({"price": None}, "Price is required"),
        ({"symbol": "NSE:GONE"}, "does not exist"),
        ({"symbol": "NSE:NIFTY 50"}, "does not exist"),
        ({"symbol": OPTION, "price": 110.0, "quantity": 10}, "lot size 65"),
        ({"symbol": OPTION, "price": 110.0, "quantity": 1_820}, "freeze quantity 1800"),
        (
            {"symbol": OPTION, "order_type": "SL-M", "trigger_price": 120.0, "quantity": 65},
            "SL-M orders are not",
        ),
        ({"symbol": OPTION, "product": "CNC", "price": 110.0, "quantity": 65}, "CNC is for shares"),
        ({"symbol": "BSE:RELIANCE", "order_type": "SL-M", "trigger_price": 1400.0}, "SL-M orders are not"),
        ({"variety": "bo"}, "variety"),
        ({"validity": "GTC"}, "validity"),
        ({"side": "HOLD"}, "transaction_type"),
    ],
)
async def test_what_the_api_refuses_never_becomes_an_order(
    seat: Seat, terms: dict[str, Any], words: str
) -> None:
    with pytest.raises(ex.InputException, match=words) as caught:
        await seat.place(**terms)
    assert caught.value.code == 400
    assert await seat.call("orders") == []


async def test_ids_are_strings_of_19_digits_that_rise(seat: Seat) -> None:
    first, second = await seat.place(price=1400.0), await seat.place(price=1400.0)
    assert [len(first), len(second)] == [19, 19]
    assert 2**53 < int(first) < int(second)


async def test_a_protected_market_order_is_a_limit_order_in_the_book(seat: Seat) -> None:
    order_id = await seat.place(order_type="MARKET", price=None, market_protection=2, tag="mine")
    row = await seat.row(order_id)
    assert (row["order_type"], row["price"], row["market_protection"]) == ("LIMIT", 1530.0, 0)
    assert (row["status"], row["average_price"], row["tag"]) == ("COMPLETE", 1500.1, "mine")
    assert row["tags"] == ["mine", "mktp", "mktp:2.00"]
    assert await seat.states(order_id) == [*LIFE, "OPEN", "COMPLETE"]


@pytest.mark.parametrize(
    ("symbol", "last", "limit"),
    [
        ("NSE:INFY", 1500.0, 1507.5),
        ("NSE:ITC", 400.0, 404.0),
        ("NSE:CENTRALBK", 38.0, 38.76),
        (OPTION, 50.0, 51.5),
    ],
)
async def test_automatic_protection_follows_the_price(
    seat: Seat, symbol: str, last: float, limit: float
) -> None:
    seat.server.market.price(symbol, last, ask=last * 1.2)
    quantity = 65 if symbol == OPTION else 1
    order_id = await seat.place(
        symbol, quantity=quantity, order_type="MARKET", price=None, market_protection=-1
    )
    row = await seat.row(order_id)
    assert (row["price"], row["status"], row["filled_quantity"]) == (limit, "OPEN", 0)


async def test_what_the_book_cannot_fill_stays_open_until_it_can(seat: Seat) -> None:
    price(seat, 1500.0, ask_quantity=3)
    order_id = await seat.place(price=1500.2)
    row = await seat.row(order_id)
    assert (row["status"], row["filled_quantity"], row["pending_quantity"]) == ("OPEN", 6, 4)
    assert row["average_price"] == 0  # set only at the end, as documented
    prices = [
        (trade["quantity"], trade["average_price"]) for trade in await seat.call("order_trades", order_id)
    ]
    assert prices == [(3, 1500.1), (3, 1500.2)]
    price(seat, 1499.0)
    row = await seat.row(order_id)
    assert (row["status"], row["average_price"]) == ("COMPLETE", pytest.approx(1500.17))
    assert (await seat.call("order_trades", order_id))[-1]["average_price"] == 1500.2  # its own price


async def test_the_rest_of_an_ioc_order_is_cancelled_and_its_fill_kept(seat: Seat) -> None:
    price(seat, 1500.0, ask_quantity=3)
    row = await seat.row(await seat.place(price=1500.1, validity="IOC"))
    assert (row["status"], row["filled_quantity"], row["cancelled_quantity"]) == ("CANCELLED", 3, 7)
    assert row["pending_quantity"] == 7  # as the official samples show it


async def test_a_stop_waits_triggers_and_fills(seat: Seat) -> None:
    entry = {"order_type": "SL", "trigger_price": 1490.0, "price": 1485.0}
    stop = await seat.place(side="SELL", **entry)
    market_stop = await seat.place(
        side="SELL", order_type="SL-M", trigger_price=1480.0, price=None, market_protection=1
    )
    assert (await seat.row(stop))["status"] == "TRIGGER PENDING"
    price(seat, 1490.0)
    assert await seat.states(stop) == [*LIFE, "TRIGGER PENDING", "OPEN PENDING", "OPEN", "COMPLETE"]
    assert (await seat.row(market_stop))["status"] == "TRIGGER PENDING"
    price(seat, 1475.0)
    row = await seat.row(market_stop)
    assert (row["status"], row["order_type"], row["average_price"]) == ("COMPLETE", "LIMIT", 1474.9)


async def test_a_stop_is_moved_in_place_and_may_become_the_target(seat: Seat) -> None:
    stop = await seat.place(side="SELL", order_type="SL", trigger_price=1490.0, price=1485.0)
    await seat.call("modify_order", variety="regular", order_id=stop, trigger_price=1495.0, price=1490.0)
    row = await seat.row(stop)
    assert (row["trigger_price"], row["status"], row["modified"]) == (1495.0, "TRIGGER PENDING", True)
    assert (await seat.states(stop))[-4:] == [
        "MODIFY VALIDATION PENDING", "MODIFY PENDING", "MODIFIED", "TRIGGER PENDING",
    ]  # fmt: skip
    await seat.call("modify_order", variety="regular", order_id=stop, order_type="LIMIT", price=1499.0)
    row = await seat.row(stop)
    assert (row["status"], row["trigger_price"], row["average_price"]) == ("COMPLETE", 0, 1499.9)


async def test_the_26th_modification_is_refused(seat: Seat) -> None:
    order_id = await seat.place(price=1400.0)
    for step in range(25):
        await seat.call("modify_order", variety="regular", order_id=order_id, price=1401.0 + step)
    with pytest.raises(ex.NetworkException, match=r"Maximum allowed order modifications exceeded."):
        await seat.call("modify_order", variety="regular", order_id=order_id, price=1450.0)
    await seat.call("cancel_order", variety="regular", order_id=order_id)
    assert (await seat.row(order_id))["status"] == "CANCELLED"


async def test_modified_quantity_is_the_total_and_not_below_what_is_filled(seat: Seat) -> None:
    price(seat, 1500.0, ask_quantity=2)
    order_id = await seat.place(price=1500.1)
    with pytest.raises(ex.InputException, match="filled quantity"):
        await seat.call("modify_order", variety="regular", order_id=order_id, quantity=1)
    await seat.call("modify_order", variety="regular", order_id=order_id, quantity=2)
    assert (await seat.row(order_id))["status"] == "COMPLETE"


async def test_until_it_is_open_an_order_can_be_neither_changed_nor_cancelled(seat: Seat) -> None:
    seat.server.exchange.pace = Pace(validation=0.1, opening=0.4, cancelling=1.0)
    order_id = await seat.place(price=1400.0)
    assert await seat.states(order_id) == LIFE[:1]
    assert (await seat.row(order_id))["exchange_order_id"] is None
    seat.wait(0.1)
    with pytest.raises(ex.InputException, match=r"cannot be cancelled as it is being processed. Try later."):
        await seat.call("cancel_order", variety="regular", order_id=order_id)
    with pytest.raises(ex.InputException, match="cannot be modified as it is being processed"):
        await seat.call("modify_order", variety="regular", order_id=order_id, price=1401.0)
    seat.wait(0.4)
    assert (await seat.row(order_id))["exchange_order_id"] is not None
    await seat.call("cancel_order", variety="regular", order_id=order_id)
    assert (await seat.row(order_id))["status"] == "CANCEL PENDING"
    price(seat, 1399.0)  # the fill overtakes the cancel
    seat.wait(1.0)
    assert (await seat.states(order_id))[-2:] == ["CANCEL PENDING", "COMPLETE"]


async def test_a_price_during_the_fills_delay_does_not_fill_a_market_order_at_its_limit(seat: Seat) -> None:
    seat.server.exchange.pace = Pace(filling=1.0)
    order_id = await seat.place(order_type="MARKET", price=None, market_protection=5)
    price(seat, 1500.0)
    assert (await seat.row(order_id))["status"] == "OPEN"
    seat.wait(1.0)
    assert (await seat.row(order_id))["average_price"] == 1500.1


@pytest.mark.parametrize("at_post", [True, False])
async def test_a_lack_of_funds_shows_at_the_post_or_later(seat: Seat, at_post: bool) -> None:
    seat.server.desk.conduct.refuse_at_post = at_post
    words = "Insufficient funds. Required margin is 1500000.00 but available margin is 1000000.00."
    if at_post:
        with pytest.raises(ex.GeneralException, match="Insufficient funds") as caught:
            await seat.place(quantity=1000, product="CNC")
        assert (str(caught.value), caught.value.code) == (words, 400)
        return
    row = await seat.row(await seat.place(quantity=1000, product="CNC"))
    assert (row["status"], row["pending_quantity"], row["exchange_order_id"]) == ("REJECTED", 0, None)
    assert row["status_message"].startswith(words)
    assert row["status_message_raw"].startswith(
        "RMS:Margin Exceeds,Required:1500000.00, Available:1000000.00"
    )


async def test_leaving_needs_no_margin_and_entering_does(seat: Seat) -> None:
    seat.server.account.cash = 3_010.0
    assert (await seat.row(await seat.place(price=1501.0)))["status"] == "COMPLETE"
    stop = await seat.place(side="SELL", order_type="SL", trigger_price=1490.0, price=1485.0)
    target = await seat.place(side="SELL", price=1550.0)
    more = await seat.place(price=1400.0, quantity=1)
    states = [(await seat.row(one))["status"] for one in (stop, target, more)]
    assert states == ["TRIGGER PENDING", "OPEN", "REJECTED"]


async def test_what_cannot_be_delivered_is_not_sold_in_cnc(seat: Seat) -> None:
    row = await seat.row(await seat.place(side="SELL", product="CNC"))
    assert (row["status"], "Insufficient holdings" in row["status_message"]) == ("REJECTED", True)
    seat.server.account.hold("NSE:INFY", 10, 1400.0)
    seat.server.account.authorised = False
    with pytest.raises(
        ex.GeneralException, match=r"10 quantity needs authorisation at depository."
    ) as caught:
        await seat.place(side="SELL", product="CNC")
    assert caught.value.code == 428
    seat.server.account.authorise()
    sold = await seat.row(await seat.place(side="SELL", product="CNC", price=1499.0))
    assert sold["status"] == "COMPLETE"
    assert (await seat.call("holdings"))[0]["used_quantity"] == 10


async def test_a_price_outside_the_circuit_is_rejected_after_acceptance(seat: Seat) -> None:
    row = await seat.row(await seat.place(price=1000.0))
    assert row["status"] == "REJECTED"
    assert row["status_message"].startswith(
        "Your order price is lower than the current lower circuit limit of 1368."
    )


async def test_slices_are_cut_at_the_freeze_quantity_and_fail_each_for_itself(seat: Seat) -> None:
    exchange, symbol = OPTION.split(":")
    terms = {
        "variety": "regular", "exchange": exchange, "tradingsymbol": symbol, "transaction_type": "BUY",
        "product": "NRML", "order_type": "LIMIT", "price": 100.0, "tag": "big",
    }  # fmt: skip
    with pytest.raises(ex.InputException, match="greater than or equal to 1865 for order slicing"):
        await seat.call("place_autoslice_order", quantity=65, **terms)
    seat.server.desk.conduct.refuse_at_post = True
    answer = await seat.call("place_autoslice_order", quantity=65 * 27 * 6, **terms)
    placed = [child["order_id"] for child in answer["children"] if "order_id" in child]
    failed = [child["error"] for child in answer["children"] if "error" in child]
    assert [len(placed), len(failed)] == [5, 1]  # ten lakh pay for five
    assert failed[0]["error_type"] == "MarginException"
    row = await seat.row(placed[0])
    assert (row["quantity"], row["tags"]) == (1755, ["big", "autoslice", f"autoslice:{answer['order_id']}"])


async def test_unknown_orders_and_yesterdays_are_not_found(seat: Seat) -> None:
    order_id = await seat.place(price=1400.0)
    with pytest.raises(ex.GeneralException, match="Couldn't find that `order_id`"):
        await seat.call("order_history", "1")
    seat.wall.at += timedelta(days=1)
    seat.kite.set_access_token(seat.server.grant_token())
    assert await seat.call("orders") == []
    with pytest.raises(ex.GeneralException):
        await seat.call("order_history", order_id)


async def test_orders_of_the_app_carry_no_tag_and_obey_the_same_rules(seat: Seat) -> None:
    bought = seat.server.app.order("NSE:INFY", "BUY", 5)
    resting = seat.server.app.order("NSE:INFY", "SELL", 5, order_type="LIMIT", price=1550.0)
    row = await seat.row(bought)
    assert (row["status"], row["tag"], row["placed_by"]) == ("COMPLETE", None, seat.server.client.user_id)
    seat.server.app.modify(resting, price=1545.0)
    assert (await seat.row(resting))["price"] == 1545.0
    seat.server.app.cancel(resting)
    assert (await seat.row(resting))["status"] == "CANCELLED"


async def test_the_broker_squares_mis_off_at_its_deadline_and_leaves_the_rest(seat: Seat) -> None:
    await seat.place(price=1501.0)
    await seat.place(price=1501.0, product="CNC", quantity=1)
    stop = await seat.place(side="SELL", order_type="SL", trigger_price=1490.0, price=1485.0)
    seat.wall.at = MONDAY.replace(hour=15, minute=11, second=59)
    assert (await seat.row(stop))["status"] == "TRIGGER PENDING"
    seat.wait(1)
    assert (await seat.row(stop))["status"] == "CANCELLED"
    squared = (await seat.call("orders"))[-1]
    assert (squared["placed_by"], squared["tag"], squared["quantity"]) == ("ADMINSQF", None, 10)
    assert {row["product"]: row["quantity"] for row in (await seat.call("positions"))["net"]} == {
        "MIS": 0,
        "CNC": 1,
    }


async def test_the_broker_may_square_off_earlier(seat: Seat) -> None:
    await seat.place(price=1501.0)
    seat.server.rms.square_off_at(MONDAY + timedelta(minutes=5))
    seat.wait(300)
    assert (await seat.call("positions"))["net"][0]["quantity"] == 0


async def test_sessions_bound_what_is_taken_and_what_survives(seat: Seat) -> None:
    limit = await seat.place(price=1400.0)
    stop = await seat.place(side="SELL", order_type="SL", trigger_price=1390.0, price=1385.0)
    seat.wall.at = MONDAY.replace(hour=15, minute=15)
    seat.server.settle()
    assert [(await seat.row(one))["status"] for one in (limit, stop)] == ["OPEN", "CANCELLED"]
    seat.wall.at = MONDAY.replace(hour=15, minute=35)
    seat.server.settle()
    assert (await seat.row(limit))["status"] == "CANCELLED"
    with pytest.raises(ex.InputException, match="AMO"):
        await seat.place()
    seat.wall.at = MONDAY.replace(day=22)
    seat.kite.set_access_token(seat.server.grant_token())
    with pytest.raises(ex.InputException, match="markets are not open for trading today"):
        await seat.place()


async def test_an_amo_waits_for_the_open(seat: Seat) -> None:
    seat.wall.at = MONDAY.replace(hour=16)
    order_id = await seat.place(variety="amo", price=1519.0, product="CNC")
    assert (await seat.row(order_id))["status"] == "AMO REQ RECEIVED"
    seat.wall.at = MONDAY.replace(day=24, hour=9, minute=15)
    seat.kite.set_access_token(seat.server.grant_token())
    assert (await seat.row(order_id))["status"] == "OPEN"
    price(seat, 1500.0)
    assert (await seat.row(order_id))["status"] == "COMPLETE"


async def test_overnight_delivery_becomes_a_holding_and_mis_is_gone(seat: Seat) -> None:
    await seat.place(price=1501.0)
    await seat.place(price=1501.0, product="CNC", quantity=4)
    seat.wall.at = MONDAY.replace(day=24, hour=9)
    seat.kite.set_access_token(seat.server.grant_token())
    assert (await seat.call("positions"))["net"] == []
    held = (await seat.call("holdings"))[0]
    assert (held["tradingsymbol"], held["quantity"], held["average_price"]) == ("INFY", 4, 1500.1)


async def test_a_forced_fill_reaches_an_order_that_has_ended(seat: Seat) -> None:
    order_id = await seat.place(price=1400.0)
    await seat.call("cancel_order", variety="regular", order_id=order_id)
    seat.server.exchange.fill(seat.server.exchange.orders[order_id], 3, 1400.0)
    row = await seat.row(order_id)
    assert (row["status"], row["filled_quantity"]) == ("CANCELLED", 3)
    seat.server.exchange.fill(seat.server.exchange.orders[order_id], 9, 1400.0)
    assert (await seat.row(order_id))["filled_quantity"] == 12


async def test_orders_placed_at_the_same_moment_are_all_taken(seat: Seat) -> None:
    ids = await asyncio.gather(*(seat.place(price=1400.0, tag=f"t{number}") for number in range(8)))
    book = {row["order_id"]: row["tag"] for row in await seat.call("orders")}
    assert set(book) == set(ids)
    assert sorted(book.values()) == [f"t{number}" for number in range(8)]


async def test_a_contract_is_carried_to_its_last_day_and_settled_after_it(seat: Seat) -> None:
    future = "NFO:NIFTY26NOVFUT"
    seat.server.account.carry(future, "NRML", 65, 24_400.0)
    expiry = seat.server.market.listings[future].expiry
    assert expiry is not None
    seat.wall.at = seat.wall.at.replace(day=expiry.day)
    seat.server.settle()
    assert (future, "NRML") in seat.server.account.positions
    seat.wait(86_400)
    assert (future, "NRML") not in seat.server.account.positions
