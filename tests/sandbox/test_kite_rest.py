"""Every route a desk uses, driven by the official client and held against the official samples."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from kiteconnect import exceptions as ex

from tests.sandbox.kite_seat import MOCKS, Seat, mock, seated


@pytest_asyncio.fixture
async def seat() -> AsyncIterator[Seat]:
    async with seated() as seat:
        seat.server.market.price("NSE:INFY", 1500.0, volume=1000)
        seat.server.market.price("NSE:NIFTY 50", 24_510.0)
        yield seat


def all_keys(rows: list[dict[str, Any]]) -> set[str]:
    return set().union(*rows)


def shape(value: Any) -> Any:
    """Key sets all the way down; of lists the first row."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value and isinstance(value[0], dict) else []
    return None


async def test_profile_margins_and_session_have_the_samples_keys(seat: Seat) -> None:
    assert shape(await seat.call("profile")) == shape(mock("profile.json"))
    assert shape(await seat.call("margins")) == shape(mock("margins.json"))
    assert shape(await seat.call("margins", "equity")) == shape(mock("margins_equity.json"))
    token = seat.server.session.new_request_token()
    details = await seat.call("generate_session", token, api_secret=seat.server.client.api_secret)
    assert set(details) == set(mock("generate_session.json"))


async def test_order_and_trade_rows_have_the_samples_keys(seat: Seat) -> None:
    order_id = await seat.place(price=1501.0)
    documented = all_keys(mock("orders.json"))
    assert set((await seat.call("orders"))[0]) == documented
    assert all_keys(mock("order_info.json")) <= set((await seat.call("order_history", order_id))[0])
    assert set((await seat.call("trades"))[0]) == all_keys(mock("trades.json"))
    assert set((await seat.call("order_trades", order_id))[0]) == all_keys(mock("order_trades.json"))


async def test_positions_and_holdings_have_the_samples_keys_and_arithmetic(seat: Seat) -> None:
    seat.server.account.hold("NSE:SBIN", 16, 801.78)
    seat.server.account.carry("NFO:NIFTY26NOVFUT", "NRML", 65, 24_400.0)
    await seat.place(price=1501.0)
    positions = await seat.call("positions")
    assert shape(positions) == shape(mock("positions.json"))
    assert len(positions["net"]) == 2
    assert [row["tradingsymbol"] for row in positions["day"]] == ["INFY"]
    for row in positions["net"]:
        value = row["sell_value"] - row["buy_value"]
        assert row["pnl"] == pytest.approx(value + row["quantity"] * row["last_price"] * row["multiplier"])
    assert shape(await seat.call("holdings")) == shape(mock("holdings.json"))
    assert await seat.call("get_auction_instruments") == []


async def test_quotes_have_the_samples_keys_and_leave_out_what_does_not_exist(seat: Seat) -> None:
    wanted = ["NSE:INFY", "NSE:GONE"]
    for method in ("quote", "ohlc", "ltp"):
        found = await seat.call(method, wanted)
        assert shape(found) == shape(mock(f"{method}.json"))
    assert list(await seat.call("ltp", "408065")) == ["408065"]
    depth = (await seat.call("quote", "NSE:INFY"))["NSE:INFY"]["depth"]
    assert [len(depth["buy"]), len(depth["sell"])] == [5, 5]
    assert depth["buy"][0]["price"] < 1500.0 < depth["sell"][0]["price"]
    for method, most in (("quote", 500), ("ltp", 1000)):
        with pytest.raises(ex.InputException, match=f"Max permitted is {most}"):
            await seat.call(method, [f"NSE:X{number}" for number in range(most + 1)])


async def test_without_the_data_plan_there_are_no_quotes_and_no_history(seat: Seat) -> None:
    seat.server.session.data_plan = False
    for call in (
        seat.call("ltp", "NSE:INFY"),
        seat.call("historical_data", 408065, "2026-11-20", "2026-11-20", "day"),
    ):
        with pytest.raises(ex.PermissionException, match="Insufficient permission for that call"):
            await call
    assert await seat.call("orders") == []


async def test_the_dump_reads_as_instruments_and_has_the_samples_columns(seat: Seat) -> None:
    everything = {row["tradingsymbol"]: row for row in await seat.call("instruments")}
    future = everything["NIFTY26NOVFUT"]
    assert (future["expiry"], future["lot_size"], future["segment"]) == (date(2026, 11, 24), 65, "NFO-FUT")
    assert everything["NIFTY 50"]["segment"] == "INDICES"
    assert everything["INFY"]["instrument_token"] == int(everything["INFY"]["exchange_token"]) << 8 | 1
    assert {row["exchange"] for row in await seat.call("instruments", "BSE")} == {"BSE"}
    with pytest.raises(ex.InputException):
        await seat.call("instruments", "INDICES")
    if (MOCKS / "instruments_nse.csv").exists():
        with (MOCKS / "instruments_nse.csv").open() as sample:
            assert list(everything["INFY"]) == next(csv.reader(sample))


async def test_the_dump_is_zipped_for_who_can_read_it_and_open_to_all(seat: Seat) -> None:
    headers = {"X-Kite-Version": "3", "Accept-Encoding": "gzip"}
    url = f"{seat.server.url}/instruments"
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert (await answer.text()).startswith("instrument_token,")


async def test_history_joins_the_invented_past_to_the_prices_pushed_today(seat: Seat) -> None:
    seat.wait(60)
    seat.server.market.price("NSE:INFY", 1510.0, volume=1500)
    wall = datetime(2026, 11, 20, 9, 15), datetime(2026, 11, 23, 15, 30)  # noqa: DTZ001 - as the SDK needs it
    candles = await seat.call("historical_data", 408065, *wall, "minute", oi=True)
    assert [len(candles), candles[0]["date"].hour, candles[0]["oi"]] == [362, 9, 0]
    assert candles[-3]["close"] == 1520.0  # the previous close of the listing, a Friday's
    assert [(one["close"], one["volume"]) for one in candles[-2:]] == [(1500.0, 1000), (1510.0, 500)]
    assert candles == await seat.call("historical_data", 408065, *wall, "minute", oi=True)
    days = await seat.call("historical_data", 408065, *wall, "day")
    assert [one["date"].day for one in days] == [20, 23]
    friday = [one for one in candles if one["date"].day == 20]
    assert days[0]["high"] == max(one["high"] for one in friday)
    assert days[0]["low"] == min(one["low"] for one in friday)
    assert days[0]["volume"] == sum(one["volume"] for one in friday)
    fives = await seat.call("historical_data", 408065, *wall, "5minute")
    assert [len(fives), fives[-1]["open"], fives[-1]["close"]] == [73, 1500.0, 1510.0]


@pytest.mark.parametrize(
    ("interval", "days"),
    [("minute", 60), ("5minute", 100), ("15minute", 200), ("60minute", 400), ("day", 2000)],
)
async def test_history_beyond_the_intervals_days_is_refused_not_cut(
    seat: Seat, interval: str, days: int
) -> None:
    end = datetime(2026, 11, 20)  # noqa: DTZ001 - the package takes naive times
    with pytest.raises(ex.InputException, match=f"interval exceeds max limit: {days} days"):
        await seat.call("historical_data", 408065, end - timedelta(days=days, seconds=1), end, interval)


async def test_gtts_are_placed_changed_fired_once_and_deleted(seat: Seat) -> None:
    seat.server.account.hold("NSE:INFY", 10, 1400.0)
    leg = {"transaction_type": "SELL", "quantity": 10, "order_type": "LIMIT", "product": "CNC"}
    legs = [leg | {"price": 1449.0}, leg | {"price": 1551.0}]
    common = {"tradingsymbol": "INFY", "exchange": "NSE", "last_price": 1500.0, "orders": legs}
    placed = await seat.call("place_gtt", "two-leg", trigger_values=[1450.0, 1550.0], **common)
    other = await seat.call("place_gtt", "single", trigger_values=[1440.0], **(common | {"orders": legs[:1]}))
    number = placed["trigger_id"]
    changed = await seat.call("modify_gtt", number, "two-leg", trigger_values=[1460.0, 1550.0], **common)
    assert changed == {"trigger_id": number}
    seat.server.market.price("NSE:INFY", 1459.0)
    fired = await seat.call("get_gtt", number)
    assert fired["status"] == "triggered"
    assert [order["result"] is None for order in fired["orders"]] == [False, True]
    result = fired["orders"][0]["result"]
    assert set(result) == set(mock("gtt_get_order.json")["orders"][1]["result"])
    assert (await seat.row(result["order_result"]["order_id"]))["status"] == "COMPLETE"
    assert await seat.call("delete_gtt", other["trigger_id"]) == other
    states = {row["id"]: row["status"] for row in await seat.call("get_gtts")}
    assert states == {number: "triggered", other["trigger_id"]: "deleted"}
    assert set(fired) == set(mock("gtt_get_orders.json")[0])
    with pytest.raises(ex.InputException):
        await seat.call("delete_gtt", number)


def an_order(**changes: object) -> dict[str, object]:
    return {
        "order_id": "1", "exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": "BUY",
        "variety": "regular", "product": "MIS", "order_type": "LIMIT", "quantity": 10, "price": 1500.0,
        "average_price": 1500.0,
    } | changes  # fmt: skip


async def test_margins_and_charges_are_estimated_in_the_samples_shape(seat: Seat) -> None:
    margins = await seat.call("order_margins", [an_order()])
    assert shape(margins) == shape(mock("order_margins.json"))
    assert margins[0]["total"] == 3000.0  # a fifth
    basket = await seat.call("basket_order_margins", [an_order(), an_order(product="CNC")])
    assert set(basket) >= set(mock("basket_margins.json"))
    assert basket["final"]["total"] == 18_000.0
    notes = await seat.call("get_virtual_contract_note", [an_order(), an_order(transaction_type="SELL")])
    assert shape(notes) == shape(mock("virtual_contract_note.json"))
    assert [note["charges"]["transaction_tax"] for note in notes] == [0, pytest.approx(3.75)]
    assert notes[0]["charges"]["brokerage"] == pytest.approx(4.5)
    with pytest.raises(ex.InputException, match="average_price"):
        await seat.call("get_virtual_contract_note", [an_order(average_price=0)])


async def test_positions_convert(seat: Seat) -> None:
    await seat.place(price=1501.0)
    terms = {
        "exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": "BUY", "position_type": "day",
        "quantity": 4, "old_product": "MIS", "new_product": "CNC",
    }  # fmt: skip
    assert await seat.call("convert_position", **terms) is True
    held = {row["product"]: row["quantity"] for row in (await seat.call("positions"))["net"]}
    assert held == {"MIS": 6, "CNC": 4}
    with pytest.raises(ex.InputException):
        await seat.call("convert_position", **(terms | {"quantity": 7}))


async def test_trigger_ranges_answer(seat: Seat) -> None:
    ranges = await seat.call("trigger_range", "BUY", "NSE:INFY")
    assert shape(ranges["NSE:INFY"]) == shape(mock("trigger_range.json")["NSE:INFY"])


async def test_the_version_header_is_required_and_every_refusal_is_json(seat: Seat) -> None:
    authorization = {"Authorization": f"token {seat.kite.api_key}:{seat.kite.access_token}"}
    cases = [
        ("/orders", authorization, 400, "InputException"),
        ("/orders", {"X-Kite-Version": "3"}, 403, "TokenException"),
        ("/nowhere", authorization | {"X-Kite-Version": "3"}, 404, "GeneralException"),
    ]
    async with aiohttp.ClientSession() as session:
        for path, headers, status, kind in cases:
            async with session.get(seat.server.url + path, headers=headers) as answer:
                body = await answer.json()
                assert (answer.status, body["error_type"], body["data"]) == (status, kind, None)
