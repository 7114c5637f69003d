"""Stand in for Zerodha in a terminal: ``python -m sandbox.kite``.

Prints what to put in the environment. A one-time code for the login is printed when Enter is pressed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sandbox.kite.exchange import Pace
from sandbox.kite.market import Hours
from sandbox.kite.server import KiteServer
from sandbox.kite.times import IST
from sandbox.kite.totp import code_at
from sandbox.kite.walk import Walk


async def serve(port: int, seed: int, every: float, start: datetime | None, *, always: bool) -> None:
    shift = timedelta() if start is None else start - datetime.now(UTC)

    def clock() -> datetime:
        return datetime.now(UTC) + shift

    async with KiteServer(clock, port=port, seed=seed, hours=Hours(always=always)) as kite:
        kite.exchange.pace = Pace.realistic()
        _print_settings(kite, start)
        walking = asyncio.create_task(Walk(kite.market, seed).run(every))
        with contextlib.suppress(ValueError):  # stdin is a file: nobody asks for codes
            await _answer_enter(lambda: code_at(kite.client.totp_secret, clock()))
        await walking  # until stopped


async def _answer_enter(code: Callable[[], str]) -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while await lines.readline():
        _print(f"One-time code: {code()}")


def _print_settings(kite: KiteServer, start: datetime | None) -> None:
    client = kite.client
    for name, value in (
        ("MARKET", "zerodha"),
        ("KITE_API_URL", kite.url),
        ("KITE_LOGIN_URL", kite.url),
        ("KITE_STREAM_URL", kite.stream_url),
        ("KITE_API_KEY", client.api_key),
        ("KITE_API_SECRET", client.api_secret),
        ("KITE_USER_ID", client.user_id),
        ("KITE_PASSWORD", client.password),
        ("KITE_TOTP_SECRET", client.totp_secret),
        ("NO_PROXY", "127.0.0.1"),
        *((("CLOCK_START", start.isoformat()),) if start else ()),
    ):
        _print(f"{name}={value}")


def _start(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=IST)


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A local Kite with a market that moves by itself")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=0.5, help="seconds between two prices")
    parser.add_argument("--start", type=_start, help="ISO time, of India unless it says, the clock begins at")
    parser.add_argument("--always", action="store_true", help="the market is open round the clock")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(given.port, given.seed, given.every, given.start, always=given.always))
