"""The official KiteTicker against the local stream: if it is content, other clients may believe it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sandbox.kite import Kind
from tests.sandbox.kite_seat import Seat, seated

PROBE = Path(__file__).with_name("kite_ticker_probe.py")
PRICES = {"NSE:INFY": 1500.0, "NSE:RELIANCE": 1480.0, "NSE:NIFTY 50": 24_510.0}
PATIENCE = 20  # seconds; the other process has Twisted to import first


class Probe:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen: list[dict[str, Any]] = []
        self.waiting: list[dict[str, Any]] = []  # seen, and not asked for yet

    async def until(self, truth: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first line of which ``truth`` holds; each is given out once."""
        async with asyncio.timeout(PATIENCE):
            while not (found := [line for line in self.waiting if truth(line)]):
                await self._read()
        self.waiting.remove(found[0])
        return found[0]

    async def _read(self) -> None:
        assert self.process.stdout is not None
        text = await self.process.stdout.readline()
        assert text, f"The ticker ended; it said {self.seen}"
        self.seen.append(json.loads(text))
        self.waiting.append(self.seen[-1])

    async def tick(self, last: float, mode: str) -> dict[str, Any]:
        return await self.until(
            lambda line: line["kind"] == "tick" and (line["last_price"], line["mode"]) == (last, mode)
        )


@asynccontextmanager
async def probing(seat: Seat, token: str) -> AsyncIterator[Probe]:
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "TZ": "Asia/Kolkata"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROBE), seat.server.stream_url, seat.kite.api_key, token,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env=environment,
    )  # fmt: skip
    try:
        yield Probe(process)
    finally:
        process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]  # else its pipes warn when collected


async def test_it_connects_ticks_in_every_mode_hears_orders_and_comes_back_after_a_drop() -> None:
    async with seated(heartbeat=0.1) as seat:
        market = seat.server.market
        for symbol, price in PRICES.items():
            market.price(symbol, price)
        async with probing(seat, seat.kite.access_token) as probe:
            await probe.until(lambda line: line["kind"] == "connect")
            share = await probe.tick(1500.0, "quote")
            assert share["ohlc"]["close"] == 1520.0
            await probe.tick(1480.0, "ltp")
            index = await probe.tick(24_510.0, "full")
            assert index["exchange_timestamp"] == "2026-11-23 10:00:00"
            order_id = await seat.place(price=1501.0, tag="mine")
            update = await probe.until(lambda line: line["kind"] == "order")
            assert (update["order_id"], update["status"], update["tag"]) == (order_id, "COMPLETE", "mine")

            for _ in range(5):
                await probe.until(lambda line: line["kind"] == "beat")
            assert seat.server.stream.opened == 1  # a stray pong would have made it reconnect by now

            seat.server.faults.add(Kind.DROP_STREAM)
            await probe.until(lambda line: line["kind"] == "close")
            await probe.until(lambda line: line["kind"] == "connect")
            market.price("NSE:INFY", 1510.0)
            market.price("NSE:NIFTY 50", 24_600.0)
            await probe.tick(24_600.0, "full")  # its modes are restored
            assert seat.server.stream.opened == 2
            assert not [
                line for line in probe.seen if line["kind"] == "error" and "callback" in line["reason"]
            ]


async def test_a_bad_token_is_a_403_at_the_handshake_that_it_keeps_retrying() -> None:
    async with seated() as seat, probing(seat, "bad") as probe:
        for _ in range(2):
            line = await probe.until(lambda line: line["kind"] == "close")
            assert (line["code"], "403" in line["reason"]) == (1006, True)
        assert seat.server.stream.refused >= 2
