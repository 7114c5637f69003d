"""Zerodha's orders: from an approved order to its bytes at the broker's socket, the intent fsynced in
between; and twenty exits at once under the ten-a-second rule, against the local Kite."""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import socket
import statistics
import time
from dataclasses import replace
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.tick_to_order import bare_commit, bare_database, spread
from sandbox.kite import Hours, KiteServer, Listing
from tests.broker.approvals import approved, change
from trader.broker.zerodha.broker import ZerodhaBroker
from trader.broker.zerodha.budget import BudgetLimits, Budgets
from trader.broker.zerodha.credentials import KiteCredentials, KiteEndpoints
from trader.broker.zerodha.rest import KiteRest
from trader.broker.zerodha.stream.pacing import LoopTime
from trader.domain.errors import LoginNeeded
from trader.domain.order import Approved, Order, OrderId, OrderState, OrderType, Purpose, Side
from trader.domain.records import OrderEvent, RiskCounters
from trader.domain.times import IST

COUNT, WARM_UP, POSITIONS = 400, 50, 20
KEYS = [f"NSE:STOCK{number}" for number in range(POSITIONS)]
ANSWER = json.dumps({"status": "success", "data": {"order_id": "2026112300000000001"}}).encode()
REPLY = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER) + ANSWER
)


def now() -> datetime:
    return datetime.now(IST)


class HeldSession:
    def __init__(self, credentials: KiteCredentials, token: str) -> None:
        self.credentials = credentials
        self.access_token = token

    def lost(self, reason: str, *, token: str | None = None) -> None:
        raise LoginNeeded(reason)


def broker_at(url: str, session: HeldSession, limits: BudgetLimits | None = None) -> ZerodhaBroker:
    clock = LoopTime(now)
    return ZerodhaBroker(KiteRest(session, KiteEndpoints(api=url, login=url), Budgets(clock, limits)), clock)


# -- to the socket ---------------------------------------------------------------------------------------


def take_orders(pipe: Connection) -> None:
    """Another process: answers every request, and tells at the end when the first byte of each arrived, on
    the clock that all processes of this machine share."""
    listener = socket.create_server(("127.0.0.1", 0))
    pipe.send(listener.getsockname()[1])
    arrived = []
    connection, _ = listener.accept()
    with connection:
        waiting = b""
        while part := connection.recv(65536):
            if not waiting:
                arrived.append(time.perf_counter())
            waiting += part
            head, found, body = waiting.partition(b"\r\n\r\n")
            if found and len(body) >= int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]):
                waiting = b""
                connection.sendall(REPLY)
    pipe.send(arrived)


async def orders_to(port: int, folder: Path, bare: list[float], *, durable: bool) -> list[float]:
    """When each began. ``bare`` takes the seconds of a bare commit made after each, on the same disk."""
    from storage.engines import sqlite_url
    from storage.ledger import SqlLedger

    ledger = SqlLedger(sqlite_url(folder / f"{durable}.db"))
    await ledger.open()
    plenty = BudgetLimits(*[10 * COUNT] * 10)
    broker = broker_at(
        f"http://127.0.0.1:{port}", HeldSession(KiteCredentials("key", "secret"), "token"), plenty
    )
    await broker.open()
    began, beside = [], bare_database(folder / f"bare-{durable}.db")
    gc.collect()
    gc.freeze()
    for number in range(WARM_UP + COUNT):
        order = approved("NSE:SBIN", tag=f"MBEN{number}", at=now())
        began.append(time.perf_counter())
        if durable:
            await ledger.commit(_intent(order))
        await broker.place(order)
        await asyncio.sleep(0.002)  # a desk does something else between two orders
        if durable:
            bare.append(bare_commit(beside, number))
            await asyncio.sleep(0.002)
    gc.unfreeze()
    await broker.close()
    await ledger.close()
    beside.close()
    return began


def _intent(approval: Approved) -> list[Order | OrderEvent | RiskCounters]:
    request = approval.request
    order = Order(
        request,
        OrderState.INTENT,
        request.at,
        request.quantity,
        request.order_type,
        None,
        None,
        request.purpose,
    )
    event = OrderEvent(request.tag, 1, request.at, None, OrderState.INTENT, "")
    return [order, event, RiskCounters(request.at.date(), entries=1)]


def to_the_socket(folder: Path, *, durable: bool) -> tuple[list[float], list[float]]:
    """Seconds for each order, and for the bare commits between them."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=take_orders, args=(theirs,))
    server.start()
    bare: list[float] = []
    began = asyncio.run(orders_to(ours.recv(), folder, bare, durable=durable))
    arrived = ours.recv()
    server.join()
    return [at - start for start, at in zip(began, arrived, strict=True)][WARM_UP:], bare[WARM_UP:]


# -- twenty exits ----------------------------------------------------------------------------------------


async def kill(*, stops: bool) -> tuple[list[float], int]:
    """Seconds until each exit reached the broker, and how many requests it refused. ``stops``: each position
    has a stop at rest, which is turned into the exit, as the desk does it."""
    listings = [
        Listing(1000 + n << 8 | 1, "NSE", key.removeprefix("NSE:"), key, 100.0) for n, key in enumerate(KEYS)
    ]
    async with KiteServer(now, listings=listings, hours=Hours(always=True)) as server:
        for key in KEYS:
            server.market.price(key, 100.0)
            server.account.drift(key, "MIS", 10, 100.0)
        credentials = KiteCredentials(server.client.api_key, server.client.api_secret)
        broker = broker_at(server.url, HeldSession(credentials, server.grant_token()))
        await broker.open()
        resting = [server.app.order(key, "SELL", 10, order_type="SL-M", trigger_price=90) for key in KEYS]
        server.settle()
        began = now()

        async def leave(number: int, key: str) -> None:
            order = approved(key, Side.SELL, 10, OrderType.MARKET, tag=f"K{number}")
            if stops:
                changed = change(order, OrderId(resting[number]), OrderType.MARKET)
                await broker.modify(replace(changed, change=replace(changed.change, purpose=Purpose.KILL)))
            else:
                await broker.place(replace(order, request=replace(order.request, purpose=Purpose.KILL)))

        await asyncio.gather(*(leave(number, key) for number, key in enumerate(KEYS)))
        calls = server.called("modify" if stops else "place")
        await broker.close()
        return sorted((call.at - began).total_seconds() for call in calls), server.limits.refused


def main() -> None:
    with TemporaryDirectory() as folder:
        print(f"an approved order to its first byte at the broker's socket, {COUNT} times:")
        alone, _ = to_the_socket(Path(folder), durable=False)
        orders, bare = to_the_socket(Path(folder), durable=True)
    for name, taken in (
        ("without the ledger", alone),
        ("with the durable intent", orders),
        ("a bare commit of one row", bare),
    ):
        print(f"  {name:30} {spread(taken)}")
    print(f"  order to bare commit, medians  {statistics.median(orders) / statistics.median(bare):6.1f}")
    print(f"{POSITIONS} positions left at once, ten requests a second:")
    for name, stops in (("exits alone", False), ("stops turned into exits", True)):
        reached, refused = asyncio.run(kill(stops=stops))
        first, last = reached[0] * 1000, reached[-1]
        print(f"  {name:30} first exit {first:6.1f} ms   last {last:5.2f} s   refused {refused}")


if __name__ == "__main__":
    main()
