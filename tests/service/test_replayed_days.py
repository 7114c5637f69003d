"""Real NSE days through the whole process: the same bytes twice, and sums that add up by hand."""

from __future__ import annotations

import re
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from tests.service.sessions import ROOT, Ledger, run_script

SHARED = ROOT.parent / "shared" / "data"
ROOMY = {"RISK_MAX_DAILY_LOSS": "20000", "RISK_MAX_DAILY_LOSS_PCT": "20"}

DAYS = {
    "four banks, one-minute candles of 2 May 2023": (
        "minute/stocks/*_2023-06.parquet?day=2023-05-02",
        ["/start_strategy ema_crossover HDFCBANK,ICICIBANK,SBIN,AXISBANK 1m"],
    ),
    "five-minute candles of a year, one day of it": (
        "5minute/stocks/RELIANCE_5minute_2023-07_2024-06.parquet?day=2024-03-05",
        ["/start_strategy breakout RELIANCE 5m channel=10", "/start_strategy rsi_mean_reversion RELIANCE 5m"],
    ),
    "one-second ticks of 28 April 2021": (
        "ticks/1hz_2021/ticks_2021-04-28.parquet",
        ["/start_strategy ema_crossover RELIANCE,SBIN,INFY 1m"],
    ),
}


def replay(folder: Path, path: str, commands: list[str], **settings: str) -> str:
    script = [*commands, "/wait close", "/trades today", "/pnl", "/orders"]
    where = str(SHARED / path)
    return run_script(
        folder, script, MARKET="replay", REPLAY_PATH=where, REPLAY_SPEED="max", **ROOMY, **settings
    )


@pytest.mark.parametrize("day", DAYS)
def test_a_real_day_prints_trades_and_charges_and_the_same_bytes_twice(day: str, tmp_path: Path) -> None:
    path, commands = DAYS[day]
    if not SHARED.is_dir():
        pytest.skip("the shared market data is not beside the project")
    first = replay(tmp_path, path, commands)
    assert re.search(r"PAPER · \d+ trades", first)
    assert re.search(r"^Charges +-₹\d", first, re.MULTILINE)
    assert first == replay(tmp_path, path, commands)


def test_a_real_day_adds_up_by_hand(tmp_path: Path) -> None:
    """From the fills alone, with the rates of Zerodha's price list written out here once more."""
    if not SHARED.is_dir():
        pytest.skip("the shared market data is not beside the project")
    path, commands = DAYS["four banks, one-minute candles of 2 May 2023"]
    said = replay(tmp_path, path, commands, DATABASE_URL=f"sqlite+aiosqlite:///{tmp_path / 'kept.db'}")
    ledger = Ledger(tmp_path / "kept.db")
    cash, turnover = Decimal(0), defaultdict[tuple[str, str], Decimal](Decimal)
    for tag, side, quantity, price in ledger.rows("SELECT tag, side, quantity, price FROM fills"):
        value = int(str(quantity)) * Decimal(str(price))
        cash += value if side == "SELL" else -value
        turnover[str(tag), str(side)] += value
    charges = sum((_intraday_charges(side, value) for (_, side), value in turnover.items()), Decimal(0))
    assert ledger.rows("SELECT count(*) FROM positions WHERE quantity != 0") == [(0,)]
    shown = {
        name: Decimal(re.sub(r"[₹,+]", "", value))
        for name, value in re.findall(r"^(\w+) +([-+]?₹.*)$", said, re.MULTILINE)
    }
    assert shown["Realised"] == _paise(cash)
    assert shown["Charges"] == -charges
    assert shown["Net"] == _paise(cash) - charges
    assert len(turnover) > 10


def _intraday_charges(side: str, value: Decimal) -> Decimal:
    """One order of NSE equity intraday in May 2023: the exchange took 0.00325 %, and 0.0001 % for its
    protection fund, which bears no GST (the official virtual contract note of that year)."""
    brokerage = min(Decimal(20), value * Decimal("0.0003"))
    transaction, fund = value * Decimal("0.0000325"), value * Decimal("0.000001")
    sebi = value * Decimal("0.000001")
    stt = value * Decimal("0.00025") if side == "SELL" else Decimal(0)
    stamp = value * Decimal("0.00003") if side == "BUY" else Decimal(0)
    gst = (brokerage + transaction + sebi) * Decimal("0.18")
    return sum((_paise(line) for line in (brokerage, transaction, fund, sebi, stt, stamp, gst)), Decimal(0))


def _paise(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
