"""Zerodha on a bad day: what each answer becomes, in the broker's words, and what is true afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from sandbox.kite import Kind
from tests.broker.approvals import approved, change
from tests.broker.kite_house import KEY, KiteDesk, kite_desk
from tests.broker.kite_stream_world import until
from trader.broker.zerodha.broker import ZerodhaBroker
from trader.broker.zerodha.budget import Budgets
from trader.broker.zerodha.credentials import KiteEndpoints
from trader.broker.zerodha.gate import Priority
from trader.broker.zerodha.rest import KiteRest
from trader.broker.zerodha.stream.pacing import LoopTime
from trader.domain.errors import (
    BrokerError,
    BrokerUnavailable,
    LoginNeeded,
    OrderNotSent,
    OrderRefused,
    OutcomeUnknown,
    TooManyRequests,
)
from trader.domain.order import Approved, BrokerStatus, OrderId, OrderType, Purpose

TIMED_OUT = "Order request timed out. Please check the order book and confirm before placing again."
BAD_TOKEN = "Incorrect `api_key` or `access_token`."  # noqa: S105 - Kite's words


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[KiteDesk]:
    async with kite_desk() as desk:
        yield desk


TERMS = {"exchange": "NSE", "tradingsymbol": "ACME", "transaction_type": "BUY", "quantity": 1,
         "product": "MIS", "order_type": "LIMIT", "price": "90", "tag": "T1"}  # fmt: skip
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def odd_server(talk: Talk) -> AsyncIterator[str]:
    """For what the sandbox does not do."""
    talks: set[asyncio.Task[None]] = set()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(task := asyncio.current_task())
        try:
            await talk(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            talks.discard(task)

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


def rest_at(url: str, desk: KiteDesk, **settings: Any) -> KiteRest:
    endpoints = KiteEndpoints(api=url, login=url, stream=desk.server.stream_url)
    return KiteRest(desk.session, endpoints, Budgets(LoopTime(desk.wall)), **settings)


def resting(tag: str | None = None) -> Approved:
    return approved(KEY, order_type=OrderType.LIMIT, limit=90, tag=tag)


async def tags(desk: KiteDesk) -> list[str | None]:
    return [row.tag for row in (await desk.broker.book()).orders]


ANSWERS = [
    (Kind.DROP, {}, OutcomeUnknown, "the connection broke"),
    (Kind.TIMED_OUT, {}, OutcomeUnknown, TIMED_OUT),
    (Kind.DOWN, {}, OutcomeUnknown, r"Request failed \(kitetrade-oms\) \(HTTP 503\)"),
    (Kind.DOWN, {"status": 500}, OutcomeUnknown, "HTTP 500"),
    (Kind.DOWN, {"status": 502}, OutcomeUnknown, "HTTP 502"),
    (Kind.DOWN, {"status": 504}, OutcomeUnknown, "HTTP 504"),
    (Kind.HTML, {}, OutcomeUnknown, r"502 Bad Gateway \(HTTP 502\)"),
    (Kind.HTML, {"status": 504}, OutcomeUnknown, r"\(HTTP 504\)"),
    (Kind.HTML, {"status": 403}, OutcomeUnknown, r"\(HTTP 403\)"),
    (Kind.HTML, {"status": 429}, OutcomeUnknown, r"\(HTTP 429\)"),
    (Kind.HTML, {"status": 200}, OutcomeUnknown, r"\(HTTP 200\)"),
    (Kind.UNTYPED, {}, OutcomeUnknown, r"Something went wrong. \(HTTP 500\)"),
    (Kind.UNTYPED, {"status": 400}, OutcomeUnknown, r"\(HTTP 400\)"),
    (Kind.EMPTY, {}, OutcomeUnknown, "an answer that makes no sense"),
    (Kind.REFUSE, {"status": 500, "error_type": "OrderException"}, OutcomeUnknown, "HTTP 500"),
    (Kind.REFUSE, {"status": 408, "error_type": "GeneralException"}, OutcomeUnknown, "HTTP 408"),
    (Kind.REFUSE, {"status": 400, "error_type": "NetworkException"}, OutcomeUnknown, "HTTP 400"),
    (Kind.REFUSE, {"status": 400, "error_type": "DataException"}, OutcomeUnknown, "HTTP 400"),
]


@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "not accepted"])
@pytest.mark.parametrize(("kind", "settings", "error", "words"), ANSWERS)
async def test_an_answer_that_proves_nothing_leaves_the_outcome_unknown(
    desk: KiteDesk, kind: Kind, settings: dict[str, Any], error: type[BrokerError], words: str, accepted: bool
) -> None:
    desk.server.faults.add(kind, "place", accepted=accepted, **settings)
    with pytest.raises(error, match=words) as caught:
        await desk.broker.place(resting("T1"))
    assert not isinstance(caught.value, OrderRefused)
    assert len(desk.server.called("place")) == 1  # never sent again
    assert await tags(desk) == (["T1"] if accepted else [])


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        (Kind.TOO_MANY, {}, "^Too many requests$"),
        (Kind.ADDRESS, {}, r"^IP \(127.0.0.1\) is not allowed to place orders for this app"),
        (Kind.REFUSE, {"status": 400, "error_type": "InputException", "message": "No."}, r"^No\.$"),
        (Kind.REFUSE, {"status": 400, "error_type": "MarginException", "message": "Poor."}, r"^Poor\.$"),
        (Kind.REFUSE, {"status": 400, "error_type": "OrderException", "message": "Bad."}, r"^Bad\.$"),
        (Kind.REFUSE, {"status": 428, "error_type": "HoldingException", "message": "TPIN"}, "^TPIN$"),
        (Kind.REFUSE, {"status": 403, "error_type": "PermissionException", "message": "X"}, "^X$"),
        (
            Kind.REFUSE,
            {
                "status": 400,
                "error_type": "NetworkException",
                "message": "Maximum allowed order requests exceeded",
            },
            "^Maximum allowed order requests exceeded$",
        ),
    ],
)
async def test_a_refusal_keeps_the_brokers_words(
    desk: KiteDesk, kind: Kind, settings: dict[str, Any], words: str
) -> None:
    desk.server.faults.add(kind, "place", **settings)
    with pytest.raises(OrderRefused, match=words):
        await desk.broker.place(resting())
    assert len(desk.server.called("place")) == 1
    assert await tags(desk) == []
    assert desk.session.losses == []


@pytest.mark.parametrize("kind", [Kind.TOO_MANY, Kind.ADDRESS])
async def test_a_refusal_at_the_door_is_checked_against_the_book_once(desk: KiteDesk, kind: Kind) -> None:
    desk.server.faults.add(kind, "place", accepted=True)
    order_id = await desk.broker.place(resting("T1"))
    (row,) = (await desk.broker.book()).orders
    assert (row.order_id, row.tag) == (order_id, "T1")
    assert len(desk.server.called("place")) == 1


async def test_a_refused_entry_is_unknown_while_the_book_that_would_prove_it_cannot_be_read(
    desk: KiteDesk,
) -> None:
    desk.server.faults.add(Kind.TOO_MANY, times=2)
    with pytest.raises(OutcomeUnknown, match=r"^Too many requests, and the book that would prove it"):
        await desk.broker.place(resting())
    assert len(desk.server.called("orders")) == 1


@pytest.mark.parametrize("purpose", [Purpose.STOP, Purpose.EXIT, Purpose.KILL])
async def test_what_leaves_or_protects_stays_refused_and_is_tried_again(
    desk: KiteDesk, purpose: Purpose
) -> None:
    order = resting()
    desk.server.faults.add(Kind.TOO_MANY, times=2)
    with pytest.raises(OrderRefused, match=r"^Too many requests$"):
        await desk.broker.place(replace(order, request=replace(order.request, purpose=purpose)))
    assert len(desk.server.called("orders")) == 1


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (Kind.TOO_MANY, {}),
        (
            Kind.REFUSE,
            {
                "status": 400,
                "error_type": "NetworkException",
                "message": "Maximum allowed order requests exceeded",
            },
        ),
    ],
)
async def test_a_refusal_for_the_pace_of_requests_is_told_apart_and_looked_up_once(
    desk: KiteDesk, kind: Kind, settings: dict[str, Any]
) -> None:
    desk.server.faults.add(kind, "place", **settings)
    with pytest.raises(TooManyRequests):
        await desk.broker.place(resting())
    assert len(desk.server.called("orders")) == 1


async def test_a_refusal_for_the_order_itself_is_not_one_for_the_pace(desk: KiteDesk) -> None:
    for status, error_type in (
        (400, "OrderException"),
        (403, "PermissionException"),
        (403, "GeneralException"),
    ):
        desk.server.faults.add(Kind.REFUSE, "place", status=status, error_type=error_type, message="No.")
        with pytest.raises(OrderRefused) as caught:
            await desk.broker.place(resting())
        assert not isinstance(caught.value, TooManyRequests)


async def test_an_answer_without_a_content_type_is_unknown_unless_it_is_a_refusal(desk: KiteDesk) -> None:
    desk.server.faults.add(Kind.NO_CONTENT_TYPE, "place", times=2)
    with pytest.raises(OutcomeUnknown, match="an answer without a content type"):
        await desk.broker.place(resting("T1"))
    assert await tags(desk) == ["T1"]


@pytest.mark.parametrize("at", range(0, 60, 3))
async def test_an_answer_that_ends_anywhere_is_unknown(desk: KiteDesk, at: int) -> None:
    desk.server.faults.add(Kind.CUT, "place", at=at)
    with pytest.raises(OutcomeUnknown):
        await desk.broker.place(resting("T1"))
    assert await tags(desk) == ["T1"]


async def test_a_kept_connection_that_is_reset_leaves_an_order_unknown_and_a_read_is_asked_again(
    desk: KiteDesk,
) -> None:
    await desk.broker.place(resting("T1"))
    await desk.broker.book()
    desk.server.faults.add(Kind.RESET, "place")
    with pytest.raises(OutcomeUnknown, match="the connection broke"):
        await desk.broker.place(resting("T2"))
    desk.server.faults.add(Kind.RESET, "orders")
    assert await tags(desk) == ["T1"]


@pytest.mark.parametrize("accepted", [True, False])
async def test_an_answer_that_does_not_come_in_time_is_unknown(accepted: bool) -> None:
    async with kite_desk(timeout=0.15) as desk:
        desk.server.faults.add(Kind.SLOW, "place", accepted=accepted)
        with pytest.raises(OutcomeUnknown, match="no answer in time"):
            await desk.broker.place(resting("T1"))
        assert await tags(desk) == (["T1"] if accepted else [])


async def test_an_answer_in_drops_runs_into_the_deadline_for_the_whole(desk: KiteDesk) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n")
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)

    async with odd_server(drip) as url:
        rest = rest_at(url, desk, timeout=0.2, patience=0.3)
        with pytest.raises(OutcomeUnknown, match="no whole answer within"):
            await rest.cancel("1", priority=Priority.KILL)
        with pytest.raises(BrokerUnavailable, match="no whole answer within"):
            await rest.margins()
        await rest.close()


async def test_a_redirect_is_not_followed_with_an_order_in_hand(desk: KiteDesk) -> None:
    asked: list[bytes] = []

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 307 Moved\r\nLocation: /orders/regular\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with odd_server(redirect) as url:
        rest = rest_at(url, desk)
        with pytest.raises(OutcomeUnknown, match="HTTP 307"):
            await rest.place(priority=Priority.ENTRY, **TERMS)
        await rest.close()
    assert len(asked) == 1


async def test_a_broker_that_cannot_be_reached_was_sent_nothing(desk: KiteDesk) -> None:
    rest = rest_at(desk.server.url, desk)  # without a connection from before, whose end would prove nothing
    broker = ZerodhaBroker(rest, LoopTime(desk.wall))
    async with desk.server.outage():
        for request in (lambda: broker.place(resting()), lambda: broker.cancel(OrderId("1"))):
            with pytest.raises(OrderRefused, match=r"could not be reached .* Nothing was sent"):
                await request()
        for read in (broker.book, broker.funds, broker.holdings):
            with pytest.raises(BrokerUnavailable, match="no connection"):
                await read()
    book = await broker.book()
    assert ([*book.orders], [*book.positions], [*book.holdings]) == ([], [], [])
    await broker.close()


# -- modify and cancel -----------------------------------------------------------------------------------


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize(
    ("kind", "settings", "error"),
    [
        (Kind.DROP, {}, OutcomeUnknown),
        (Kind.TIMED_OUT, {}, OutcomeUnknown),
        (Kind.DOWN, {}, OutcomeUnknown),
        (Kind.HTML, {}, OutcomeUnknown),
        (Kind.UNTYPED, {}, OutcomeUnknown),
        (Kind.EMPTY, {}, OutcomeUnknown),
        (Kind.TOO_MANY, {}, OrderRefused),
        (Kind.ADDRESS, {}, OrderRefused),
    ],
)
async def test_a_change_or_a_cancellation_gone_wrong_is_unknown_or_refused(
    desk: KiteDesk, kind: Kind, settings: dict[str, Any], error: type[BrokerError], accepted: bool
) -> None:
    order = resting("T1")
    order_id = await desk.broker.place(order)
    await desk.broker.book()
    desk.server.faults.add(kind, "modify", accepted=accepted, **settings)
    with pytest.raises(error):
        await desk.broker.modify(change(order, order_id, OrderType.LIMIT, limit=91))
    (row,) = (await desk.broker.book()).orders
    assert row.price == (91 if accepted else 90)
    desk.server.faults.add(kind, "cancel", accepted=accepted, **settings)
    with pytest.raises(error):
        await desk.broker.cancel(order_id)
    (row,) = (await desk.broker.book()).orders
    assert row.status is (BrokerStatus.CANCELLED if accepted else BrokerStatus.OPEN)


async def test_the_twenty_sixth_modification_is_refused_in_kites_words(desk: KiteDesk) -> None:
    order = resting()
    order_id = await desk.broker.place(order)
    for step in range(25):
        await desk.broker.book()
        await desk.broker.modify(change(order, order_id, OrderType.LIMIT, limit=90 + step % 2))
    await desk.broker.book()
    with pytest.raises(OrderRefused, match=r"^Maximum allowed order modifications exceeded\.$"):
        await desk.broker.modify(change(order, order_id, OrderType.LIMIT, limit=92))


# -- the session -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.KILL_TOKEN, Kind.OTHER_LOGIN])
async def test_a_dead_token_refuses_the_order_and_ends_the_session_once(desk: KiteDesk, kind: Kind) -> None:
    desk.server.faults.add(kind)
    with pytest.raises(OrderRefused, match=BAD_TOKEN) as refusal:
        await desk.broker.place(resting())
    assert isinstance(refusal.value, LoginNeeded)
    assert desk.session.losses == [BAD_TOKEN]
    with pytest.raises(LoginNeeded, match="Nobody is logged in") as before_sending:
        await desk.broker.place(resting())
    assert isinstance(before_sending.value, OrderNotSent), "Zerodha never heard of it"
    assert not isinstance(refusal.value, OrderNotSent)
    with pytest.raises(LoginNeeded):
        await desk.broker.book()
    assert len(desk.server.called("place")) == 1
    desk.session.token = desk.server.grant_token()
    await desk.broker.place(resting("T3"))
    assert await tags(desk) == ["T3"]


async def test_a_read_finds_the_dead_token_too(desk: KiteDesk) -> None:
    desk.server.faults.add(Kind.KILL_TOKEN)
    with pytest.raises(LoginNeeded, match=BAD_TOKEN):
        await desk.broker.funds()
    assert desk.session.losses == [BAD_TOKEN]


async def test_a_refusal_of_the_old_token_does_not_end_the_new_session(desk: KiteDesk) -> None:
    desk.server.faults.add(Kind.SLOW, "margins", seconds=0.2)
    late = asyncio.create_task(desk.broker.funds())
    await until(lambda: desk.server.called("margins"))
    desk.session.token = desk.server.grant_token()
    with pytest.raises(LoginNeeded):
        await late
    assert desk.session.losses == []
    await desk.broker.funds()


# -- reads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", ["orders", "positions"])
@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        (Kind.DROP, {"times": 2}, "the connection broke"),
        (Kind.DOWN, {}, r"Request failed \(kitetrade-oms\) \(HTTP 503\)"),
        (Kind.HTML, {}, "502 Bad Gateway"),
        (Kind.TOO_MANY, {}, r"Too many requests \(HTTP 429\)"),
        (Kind.UNTYPED, {}, "Something went wrong"),
        (Kind.NO_CONTENT_TYPE, {}, "without a content type"),
        (Kind.CUT, {"times": 2}, "broke"),
        (Kind.REFUSE, {"status": 403, "error_type": "PermissionException", "message": "Not you."}, "Not you"),
    ],
)
async def test_half_a_book_is_no_book(
    desk: KiteDesk, kind: Kind, settings: dict[str, Any], words: str, on: str
) -> None:
    desk.server.faults.add(kind, on, **settings)
    with pytest.raises(BrokerUnavailable, match=words):
        await desk.broker.book()
    assert desk.session.losses == []
    await desk.broker.book()


async def test_an_answer_of_another_shape_is_no_book(desk: KiteDesk) -> None:
    desk.server.faults.add(Kind.EMPTY, "orders")
    with pytest.raises(BrokerUnavailable, match="it sent a dict"):
        await desk.broker.book()
    desk.server.faults.add(Kind.EMPTY, "positions")
    with pytest.raises(BrokerUnavailable, match="a list of net ones"):
        await desk.broker.book()
    desk.server.faults.add(Kind.EMPTY, "margins")
    with pytest.raises(BrokerUnavailable, match="Expected equity"):
        await desk.broker.funds()
