"""``bot.py download``: candles of Zerodha into the cache, without a desk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date

from trader.desk.closures import apply_closures
from trader.domain.errors import InvalidInput, LoginNeeded
from trader.domain.market import Interval
from trader.feed.zerodha.candles import CandleCache
from trader.feed.zerodha.download import download, progress_bar
from trader.market.calendar import Calendar
from trader.ports.store import Store
from trader.service.clock import WallClock
from trader.service.kite import SESSION, KiteHouse
from trader.service.settings import Market, Settings

USAGE = "bot.py download RELIANCE,INFY 5m 2026-01-01 2026-11-20"


async def fetch(settings: Settings, store: Store, words: Sequence[str]) -> str:
    """Fetch what is missing; the summary. ``words``: symbols, interval, first and last day."""
    names, interval, start, end = meant(settings, words)
    ledger = await store.load()
    calendar = Calendar.load()
    apply_closures(calendar, ledger.settings)
    clock = WallClock(settings.clock_start)
    kite = KiteHouse(settings, store, ledger.settings.get(SESSION), clock, calendar)
    try:
        if not await kite.session.restore():
            if not kite.session.credentials.automatic:
                raise LoginNeeded("No session of today: start the desk and /login first, then stop it.")
            await kite.session.login_automatically()
        instruments = await kite.feed.load()
        keys = [instruments.find(name).key for name in names]
        cache = CandleCache(settings.data_dir / "candles")
        with progress_bar() as progress:
            summary = await download(
                kite.rest, cache, instruments, keys, interval, start, end, progress,
                calendar=calendar, now=clock.now, sleep=asyncio.sleep,
            )  # fmt: skip
    finally:
        await kite.close()
    return str(summary)


def meant(settings: Settings, words: Sequence[str]) -> tuple[list[str], Interval, date, date]:
    """Symbols, interval, first and last day; InvalidInput, UnknownName."""
    if len(words) != 4:
        raise InvalidInput(f"Usage: {USAGE}")
    names = [name.strip() for name in words[0].split(",") if name.strip()]
    try:
        start, end = (date.fromisoformat(text) for text in words[2:])
    except ValueError:
        raise InvalidInput(
            f"Expected days like 2026-11-20, were {words[2]} and {words[3]}. {USAGE}"
        ) from None
    if not names or start > end:
        raise InvalidInput(f"Expected symbols, and a first day not after the last. Usage: {USAGE}")
    interval = Interval.parse(words[1])
    if settings.market is not Market.ZERODHA:
        raise InvalidInput("download needs MARKET=zerodha and its keys; see docs/zerodha.md")
    return names, interval, start, end
