"""``bot.py download`` against the local Kite server, and the candles played back."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path

from sandbox.kite import KiteServer
from tests.service.sessions import ROOT, environment, run_script
from trader.domain.times import IST
from trader.service.clock import WallClock

EVENING = datetime(2026, 11, 23, 18, 45, tzinfo=IST)


async def downloaded(folder: Path, kite: KiteServer, now: datetime, *words: str) -> tuple[int | None, str]:
    client = kite.client
    settings = {
        "MARKET": "zerodha",
        "KITE_API_KEY": client.api_key,
        "KITE_API_SECRET": client.api_secret,
        "KITE_USER_ID": client.user_id,
        "KITE_PASSWORD": client.password,
        "KITE_TOTP_SECRET": client.totp_secret,
        "KITE_API_URL": kite.url,
        "KITE_LOGIN_URL": kite.url,
        "KITE_STREAM_URL": kite.stream_url,
        "CLOCK_START": now.isoformat(),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "bot.py"),
        "download",
        *words,
        env=environment(folder, **settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode, said.decode()


async def test_candles_are_fetched_once_and_play(tmp_path: Path) -> None:
    clock = WallClock(EVENING)
    async with KiteServer(clock.now) as kite:
        words = ("RELIANCE,INFY", "5m", "2026-11-16", "2026-11-20")
        code, said = await downloaded(tmp_path, kite, clock.now(), *words)
        assert code == 0, said
        assert "2 instruments" in said
        logins = len(kite.called("login.password"))
        code, said = await downloaded(tmp_path, kite, clock.now(), *words)
        assert code == 0, said
        assert "RELIANCE: 360 candles, 0 fetched" in said
        assert len(kite.called("login.password")) == logins  # yesterday's login is taken up, not repeated
        code, said = await downloaded(tmp_path, kite, clock.now(), "RELIANCEX", *words[1:])
        assert (code, said.strip()) == (2, "No symbol is called 'RELIANCEX'. Did you mean RELIANCE?")
    played = await asyncio.to_thread(
        run_script,
        tmp_path,
        ["/start_strategy ema_crossover RELIANCE 5m fast=2 slow=5", "/wait close", "/trades"],
        MARKET="replay",
        REPLAY_PATH=str(tmp_path / "candles" / "5m") + "?day=2026-11-19",
        REPLAY_SPEED="max",
    )
    assert "· entry" in played
