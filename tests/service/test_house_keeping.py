"""The lock, the log and the clock around the desk."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from trader.domain.errors import AlreadyRunning
from trader.domain.times import IST
from trader.service import logs
from trader.service.clock import SteppedClock
from trader.service.lock import FileLock

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "123456789:" + "AbCdEfGhIjKlMnOpQrStUvWxYz012345678"
OPEN = datetime(2026, 11, 23, 9, 15, tzinfo=IST)


def test_a_second_desk_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with (
        FileLock.of_folder(tmp_path),
        pytest.raises(AlreadyRunning, match="another DATA_DIR"),
        FileLock.of_folder(tmp_path),
    ):
        pass


def test_a_second_desk_on_the_same_ledger_is_refused_whatever_its_folder(tmp_path: Path) -> None:
    ledger = tmp_path / "shared" / "munim.db"
    settings = {"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{ledger}", "MARKET": "simulated"}
    command = [sys.executable, str(ROOT / "bot.py")]
    with FileLock.of_ledger(ledger):
        ended = subprocess.run(
            command, env=settings | {"DATA_DIR": str(tmp_path / "second")}, input="/status\n",
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert ended.returncode == 2
    assert f"is using {ledger}. Stop it, or give this one another DATABASE_URL." in ended.stderr
    assert not ledger.exists()


def test_the_lock_of_a_killed_process_is_free_again(tmp_path: Path) -> None:
    hold = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from trader.service.lock import FileLock
FileLock.of_folder(Path({str(tmp_path)!r})).__enter__()
print("held", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunning), FileLock.of_folder(tmp_path):
            pass
        holder.kill()
    with FileLock.of_folder(tmp_path):
        pass


@pytest.mark.parametrize(
    "text",
    [
        f"HTTP Request: POST https://api.telegram.org/bot{TOKEN}/getMe",
        "Authorization: token abcdef:0123456789abcdef",
        "https://x/?request_token=abc123DEF&status=success",
        "the owner's own phrase opensesame",
    ],
)
def test_no_secret_reaches_the_log(text: str) -> None:
    formatter = logs.Redaction(["opensesame"])
    record = logging.LogRecord("x", logging.INFO, __file__, 1, text, None, None)
    written = formatter.format(record)
    for secret in (TOKEN, "0123456789abcdef", "abc123DEF", "opensesame"):
        assert secret not in written


def test_a_secret_in_a_traceback_is_taken_out_too() -> None:
    try:
        int(f"https://api.telegram.org/bot{TOKEN}/x")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", None, sys.exc_info())
    written = logs.Redaction([]).format(record)
    assert TOKEN not in written
    assert "ValueError" in written, "what went wrong stays"


def test_of_a_secret_that_holds_another_one_nothing_stays() -> None:
    formatter = logs.Redaction(["hunter", "hunter2:and-more"])
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "with hunter2:and-more", None, None)
    assert "and-more" not in formatter.format(record)


async def test_sleepers_wake_when_the_market_reaches_their_time() -> None:
    clock = SteppedClock(OPEN, None)
    late = asyncio.ensure_future(clock.sleep_until(OPEN + timedelta(minutes=2)))
    soon = asyncio.ensure_future(clock.sleep_until(OPEN + timedelta(minutes=1)))
    await asyncio.sleep(0)
    clock.advance(OPEN + timedelta(minutes=1))
    await asyncio.wait_for(soon, 1)
    assert not late.done()
    clock.advance(OPEN + timedelta(minutes=5))
    await asyncio.wait_for(late, 1)


def test_market_time_never_goes_back() -> None:
    clock = SteppedClock(OPEN, None)
    clock.advance(OPEN + timedelta(minutes=1))
    clock.advance(OPEN)
    assert clock.now() == OPEN + timedelta(minutes=1)
