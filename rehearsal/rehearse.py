"""A live desk, a market that moves by itself, and a broker in the next room instead of Zerodha."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from handlers.registry import Command
from rehearsal.commands import rehearsal_commands
from sandbox.kite import KiteServer, Pace
from sandbox.kite.walk import Walk
from trader.domain.times import IST
from trader.market.calendar import Calendar
from trader.market.phases import Phase
from trader.service.clock import WallClock
from trader.service.reading import Secret
from trader.service.settings import KiteSettings, Market, Settings, Trading

EVERY = 0.25  # seconds between two prices
BEGINS = 5 * 60  # seconds after the opening, where the market is closed now

Run = Callable[[Settings, Sequence[Command], WallClock], Awaitable[int]]


async def rehearse(settings: Settings, run: Run) -> int:
    """Open the local broker and run the desk against it. Its records are of their own, in
    ``DATA_DIR/rehearsal``: nothing of it can be taken for the real desk's."""
    clock = WallClock(settings.clock_start or _session_now())
    async with KiteServer(clock.now, cash=float(settings.limits.capital), seed=settings.seed) as kite:
        kite.exchange.pace = Pace.realistic()
        walking = asyncio.create_task(Walk(kite.market, settings.seed).run(EVERY))
        try:
            # One clock for both: a fill must not be dated before or behind the desk's own time.
            return await run(_against(kite, settings, clock), rehearsal_commands(kite), clock)
        finally:
            walking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await walking


def _session_now() -> datetime | None:
    """None while the exchange is open; else shortly after the next opening."""
    now = datetime.now(IST)
    calendar = Calendar.load()
    if calendar.phase(now) is Phase.OPEN:
        return None
    opens = calendar.next_open(now)
    return opens.replace(minute=opens.minute + BEGINS // 60)


def _against(kite: KiteServer, settings: Settings, clock: WallClock) -> Settings:
    client = kite.client
    folder = settings.data_dir / "rehearsal" / f"{datetime.now(IST):%Y%m%d-%H%M%S}"
    return replace(
        settings,
        market=Market.ZERODHA,
        trading=Trading.LIVE,
        database_url="",
        data_dir=folder,
        clock_start=clock.now(),
        owner_totp=Secret(client.totp_secret),
        kite=KiteSettings(
            api_key=client.api_key,
            api_secret=Secret(client.api_secret),
            user_id=client.user_id,
            password=Secret(client.password),
            totp_secret=Secret(client.totp_secret),
            api_url=kite.url,
            login_url=kite.url,
            stream_url=kite.stream_url,
        ),
    )
