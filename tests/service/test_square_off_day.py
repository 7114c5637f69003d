"""A paper day's end through the whole process: every kind of instrument is out before its deadline."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from tests.service.sessions import ROOT, Ledger, environment, run_script
from trader.domain.times import IST, ist

MONDAY = "2026-11-23"
SETTINGS = {
    "REPLAY_SPEED": "max",
    "RISK_CAPITAL": "3000000",
    "RISK_MAX_ORDER_VALUE": "2500000",
    "RISK_MAX_DAILY_LOSS": "200000",
    "RISK_MAX_DAILY_LOSS_PCT": "20",
    "RISK_MAX_OPEN_POSITIONS": "20",
    "RISK_LOSS_STREAK": "999",
}
# An auction stock, a plain one and an option of the week; short averages, so that all are held at the end.
KINDS = {"RELIANCE": "15:12", "EIHOTEL": "15:25", "NIFTY26NOV25200CE": "15:26"}
STARTS = [
    "/start_strategy ema_crossover RELIANCE,EIHOTEL 1m fast=2 slow=5 stop=5 target=0",
    "/start_strategy ema_crossover NIFTY26NOV25200CE 1m fast=2 slow=5 stop=20 target=0",
]
# Stopped with their positions kept, so that nothing but the deadline closes them.
HOLD = [
    *STARTS,
    "/wait 15:04",
    "/stop_strategy ema_crossover keep",
    "/stop_strategy ema_crossover_2 keep",
    "/wait 15:06",
]


def moment(clock: str) -> datetime:
    return datetime.fromisoformat(f"{MONDAY}T{clock}:00").replace(tzinfo=IST)


def exits(ledger: Ledger) -> dict[str, datetime]:
    """When each instrument's last position was closed."""
    rows = ledger.rows("SELECT key, max(exit_at) FROM trades GROUP BY key")
    return {str(key).partition(":")[2]: ist(datetime.fromisoformat(str(at))) for key, at in rows}


def held(ledger: Ledger) -> set[str]:
    rows = ledger.rows("SELECT key FROM positions WHERE quantity != 0")
    return {str(key).partition(":")[2] for (key,) in rows}


def in_time(ledger: Ledger) -> dict[str, bool]:
    left = exits(ledger)
    return {symbol: left[symbol] < moment(clock) for symbol, clock in KINDS.items()}


def killed_when(folder: Path, lines: list[str], said: str) -> None:
    """Run a script, its input left open, and kill the process as soon as it has said something."""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "bot.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(folder, CLOCK_START=f"{MONDAY}T14:30", **SETTINGS),
        text=True,
        cwd=folder,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n".join(lines) + "\n")
        process.stdin.flush()
        while said not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)


def test_all_three_kinds_are_out_before_the_broker_comes(tmp_path: Path) -> None:
    script = [*HOLD, "/positions", "/wait 15:46", "/positions", "/charges"]
    said = run_script(tmp_path, script, CLOCK_START=f"{MONDAY}T14:30", **SETTINGS)
    before, after = said.split("> /positions")[1:]
    assert all(symbol in before for symbol in KINDS), before
    assert "Nothing is open." in after
    ledger = Ledger(tmp_path / "munim.db")
    assert in_time(ledger) == dict.fromkeys(KINDS, True)
    assert said.count("Squared off") == len(KINDS)
    assert re.search(r"Day closed: net [-+]₹", said)
    assert "NFO options" in said
    # The broker's own square-off found nothing to do.
    assert ledger.rows("SELECT count(*) FROM orders WHERE owner = 'external'") == [(0,)]


@pytest.mark.parametrize("end", ["ends in order", "is killed"])
def test_a_desk_that_comes_back_at_11_past_three_still_does_it(end: str, tmp_path: Path) -> None:
    if end == "is killed":
        killed_when(tmp_path, HOLD, "Market time 15:04:00 → 15:06:00")
    else:
        run_script(tmp_path, HOLD, CLOCK_START=f"{MONDAY}T14:30", **SETTINGS)
    ledger = Ledger(tmp_path / "munim.db")
    assert held(ledger) == set(KINDS)
    said = run_script(tmp_path, ["/wait 15:46"], CLOCK_START=f"{MONDAY}T15:11", **SETTINGS)
    assert not held(ledger), said
    assert exits(ledger)["RELIANCE"] >= moment("15:11")
    assert in_time(ledger) == dict.fromkeys(KINDS, True)


def test_a_start_on_a_holiday_says_so_and_does_nothing(tmp_path: Path) -> None:
    script = [*STARTS[:1], "/wait 15:46", "/orders"]
    said = run_script(tmp_path, script, CLOCK_START="2026-11-24T08:40", **SETTINGS)
    assert "Closed today: Guru Nanak Jayanti" in said
    assert "Next session Wed 25 Nov 09:15." in said
    assert Ledger(tmp_path / "munim.db").rows("SELECT count(*) FROM orders") == [(0,)]
    assert not re.search(r"ready|Day closed", said)
