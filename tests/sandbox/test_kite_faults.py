"""The local Kite on a bad day: each fault as the official client meets it, and what is true afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import requests
from kiteconnect import exceptions as ex

from sandbox.kite import Kind
from tests.sandbox.kite_seat import Seat, seated

LOST = requests.exceptions.ConnectionError


@pytest_asyncio.fixture
async def seat() -> AsyncIterator[Seat]:
    async with seated(pulse=None) as seat:
        seat.server.market.price("NSE:INFY", 1500.0)
        yield seat


async def tags(seat: Seat) -> list[str]:
    return [row["tag"] for row in await seat.call("orders")]


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize(
    ("kind", "settings", "error", "code"),
    [
        (Kind.DROP, {}, LOST, None),
        (Kind.TIMED_OUT, {}, ex.OrderException, 400),
        (Kind.HTML, {}, ex.DataException, 502),
        (Kind.HTML, {"status": 504}, ex.DataException, 502),  # the client loses the real status
        (Kind.DOWN, {}, ex.NetworkException, 503),
        (Kind.DOWN, {"status": 500}, ex.NetworkException, 500),
        (Kind.TOO_MANY, {}, ex.NetworkException, 429),
        (Kind.UNTYPED, {}, TypeError, None),
        (Kind.EMPTY, {}, KeyError, None),
        (Kind.REFUSE, {"status": 400, "error_type": "MarginException"}, ex.GeneralException, 400),
        (Kind.ADDRESS, {}, ex.PermissionException, 403),
    ],
)
async def test_an_answer_gone_wrong_may_hide_an_order_or_none(
    seat: Seat, kind: Kind, settings: dict[str, Any], error: type[Exception], code: int | None, accepted: bool
) -> None:
    seat.server.faults.add(kind, "place", accepted=accepted, **settings)
    with pytest.raises(error) as caught:
        await seat.place(tag="first")
    assert getattr(caught.value, "code", None) == code
    await seat.place(tag="second")  # used up
    assert await tags(seat) == (["first", "second"] if accepted else ["second"])


@pytest.mark.parametrize(
    ("kind", "error"),
    [(Kind.NO_CONTENT_TYPE, KeyError), (Kind.CUT, requests.exceptions.RequestException)],
)
async def test_a_mangled_answer_leaves_the_order_placed(
    seat: Seat, kind: Kind, error: type[Exception]
) -> None:
    seat.server.faults.add(kind, "place")
    with pytest.raises(error):
        await seat.place(tag="there")
    assert await tags(seat) == ["there"]


async def test_the_timed_out_text_is_the_ambiguous_one(seat: Seat) -> None:
    seat.server.faults.add(Kind.TIMED_OUT, "place", accepted=True)
    with pytest.raises(
        ex.OrderException, match=r"Please check the order book and confirm before placing again."
    ):
        await seat.place()


async def test_a_kept_connection_is_reset_and_a_fresh_one_works(seat: Seat) -> None:
    await seat.call("profile")
    seat.server.faults.add(Kind.RESET, "place", times=None)
    with pytest.raises(LOST):
        await seat.place(tag="lost")
    await seat.place(tag="fresh")
    assert await tags(seat) == ["fresh"]


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_slow_answer_outlasts_the_clients_patience(seat: Seat, accepted: bool) -> None:
    impatient = seat.client(timeout=0.1)
    impatient.set_access_token(seat.kite.access_token)
    seat.server.faults.add(Kind.SLOW, "place", accepted=accepted)
    patient, seat.kite = seat.kite, impatient
    with pytest.raises(requests.exceptions.ReadTimeout):
        await seat.place(tag="slow")
    seat.kite = patient
    assert await tags(seat) == (["slow"] if accepted else [])
    seat.server.heal()
    impatient.reqsession.close()


async def test_faults_count_down_last_until_cleared_or_end_by_the_clock(seat: Seat) -> None:
    seat.server.faults.add(Kind.DOWN, "orders", times=2)
    for _ in range(2):
        with pytest.raises(ex.NetworkException):
            await seat.call("orders")
    await seat.call("orders")
    seat.server.faults.add(Kind.DOWN, "order*", times=None, lasting=60)
    with pytest.raises(ex.NetworkException):
        await seat.call("orders")
    await seat.call("profile")
    seat.wait(60)
    await seat.call("orders")
    seat.server.faults.add(Kind.DOWN, times=None)
    seat.server.faults.clear(Kind.DOWN)
    await seat.call("orders")


async def test_an_order_may_be_invisible_while_it_works(seat: Seat) -> None:
    seat.server.faults.add(Kind.INVISIBLE, seconds=90)
    order_id = await seat.place(price=1501.0)
    assert await seat.call("orders") == []
    assert await seat.call("trades") == []
    with pytest.raises(ex.GeneralException, match="Couldn't find"):
        await seat.call("order_history", order_id)
    assert (await seat.call("positions"))["net"][0]["quantity"] == 10
    seat.wait(90)
    assert (await seat.row(order_id))["status"] == "COMPLETE"


async def test_a_stale_read_path_answers_the_past_while_placing_works(seat: Seat) -> None:
    before = await seat.place(price=1501.0)
    seat.server.faults.add(Kind.STALE)
    after = await seat.place(price=1502.0, quantity=5)
    assert [row["order_id"] for row in await seat.call("orders")] == [before]
    assert (await seat.call("positions"))["net"][0]["quantity"] == 10
    with pytest.raises(ex.GeneralException):
        await seat.call("order_history", after)
    seat.server.faults.clear()
    assert [row["order_id"] for row in await seat.call("orders")] == [before, after]
    assert (await seat.call("positions"))["net"][0]["quantity"] == 15


async def test_the_risk_department_rejects_what_was_accepted(seat: Seat) -> None:
    seat.server.faults.add(Kind.REJECT, times=2, message="Script is banned.")
    rows = [await seat.row(await seat.place()) for _ in range(3)]
    assert [row["status"] for row in rows] == ["REJECTED", "REJECTED", "OPEN"]
    assert (rows[0]["status_message"], rows[0]["status_message_raw"]) == (
        "Script is banned.",
        "RMS:Script is banned.",
    )


async def test_a_refused_address_bars_orders_and_nothing_else(seat: Seat) -> None:
    order_id = await seat.place(price=1400.0)
    seat.server.faults.add(Kind.ADDRESS, times=None)
    with pytest.raises(
        ex.PermissionException, match=r"IP \(127.0.0.1\) is not allowed to place orders for this app"
    ):
        await seat.place()
    with pytest.raises(ex.PermissionException):
        await seat.call("cancel_order", variety="regular", order_id=order_id)
    assert (await seat.row(order_id))["status"] == "OPEN"


@pytest.mark.parametrize("kind", [Kind.KILL_TOKEN, Kind.OTHER_LOGIN])
async def test_a_token_dies_in_the_middle_of_the_day(seat: Seat, kind: Kind) -> None:
    seat.server.faults.add(kind)
    with pytest.raises(ex.TokenException):
        await seat.call("orders")
    seat.kite.set_access_token(seat.server.grant_token())
    await seat.call("orders")


async def test_an_outage_closes_the_port_and_ends(seat: Seat) -> None:
    async with seat.server.outage():
        with pytest.raises(LOST):
            await seat.call("profile")
    await seat.call("profile")


async def test_calls_are_remembered_by_the_name_of_their_route(seat: Seat) -> None:
    await seat.place(tag="mine")
    assert [call.params["tag"] for call in seat.server.called("place")] == ["mine"]
    assert seat.server.called("place")[0].path == {"variety": "regular"}


async def test_a_rehearsal_pulls_the_levers_over_http(seat: Seat) -> None:
    async with aiohttp.ClientSession() as session:

        async def pull(lever: str, **given: Any) -> Any:
            async with session.post(f"{seat.server.url}/sandbox/{lever}", json=given) as answer:
                return (await answer.json()).get("data")

        await pull("fault", kind="down", on="orders", times=None)
        with pytest.raises(ex.NetworkException):
            await seat.call("orders")
        async with session.delete(f"{seat.server.url}/sandbox/fault?kind=down") as answer:
            assert answer.status == 200
        await pull("price", symbol="NSE:INFY", last=1490.0)
        order_id = await pull("order", symbol="NSE:INFY", side="BUY", quantity=1)
        assert (await seat.row(order_id))["average_price"] == 1490.1
        assert await pull("fault", kind="nonsense") is None
        assert await pull("price", symbol="NSE:GONE", last=1.0) is None
        async with session.get(f"{seat.server.url}/sandbox/fault") as answer:
            assert (await answer.json())["data"] == []


async def test_what_is_held_is_let_go_when_the_server_ends() -> None:
    async with seated(pulse=None) as seat:
        seat.server.faults.add(Kind.SLOW, "profile")
        asking = asyncio.create_task(seat.call("profile"))
        while not seat.server.called("profile"):  # noqa: ASYNC110 - the call is made in another thread
            await asyncio.sleep(0.01)
        seat.server.heal()
        assert (await asyncio.wait_for(asking, 5))["user_id"] == seat.server.client.user_id
