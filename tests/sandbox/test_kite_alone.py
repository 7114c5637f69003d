"""The local Kite by itself: its own market, and the command that starts it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aiohttp
import pytest

from sandbox.kite import Hours
from sandbox.kite.walk import Walk
from tests.sandbox.kite_seat import seated

ROOT = Path(__file__).resolve().parents[2]


async def closes(seed: int, steps: int) -> dict[str, float]:
    async with seated(hours=Hours(always=True)) as seat:
        walk = Walk(seat.server.market, seed)
        for _ in range(steps):
            walk.step()
        return {one.key: seat.server.market.quote(one).last for one in seat.server.market.listings}


async def test_a_seed_decides_every_price() -> None:
    first = await closes(seed=7, steps=30)
    assert first == await closes(seed=7, steps=30)
    assert first != await closes(seed=8, steps=30)


async def test_a_long_walk_stays_on_ticks_and_inside_the_circuit_and_options_follow_the_index() -> None:
    async with seated() as seat:
        market = seat.server.market
        walk = Walk(market, 3)
        for _ in range(500):
            walk.step()
        for listing in market.listings:
            quote = market.quote(listing)
            low, high = quote.circuit
            assert low <= quote.low <= quote.last <= quote.high <= high, listing.key
            assert quote.last / listing.tick_size == pytest.approx(
                round(quote.last / listing.tick_size), abs=1e-6
            )
        calls = [market.quote(one).last for one in market.listings if one.instrument_type == "CE"]
        assert calls == sorted(calls, reverse=True)


async def test_nothing_moves_while_the_market_is_closed() -> None:
    async with seated() as seat:
        seat.wall.at = seat.wall.at.replace(hour=8)
        Walk(seat.server.market, 3).step()
        assert seat.server.market.quote(seat.server.market.listings["NSE:INFY"]).traded_at is None


async def test_the_command_prints_an_environment_that_answers() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox.kite", "--port", "0", "--start", "2026-11-23T09:20", cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        environment = {}
        async with asyncio.timeout(20):
            while "CLOCK_START" not in environment:
                name, _, value = (await process.stdout.readline()).decode().strip().partition("=")
                environment[name] = value
            process.stdin.write(b"\n")
            assert (await process.stdout.readline()).startswith(b"One-time code: ")
        headers = {"X-Kite-Version": "3"}
        url = environment["KITE_API_URL"] + "/instruments/NSE"
        async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
            assert "RELIANCE" in await answer.text()
    finally:
        process.kill()
        await process.communicate()
