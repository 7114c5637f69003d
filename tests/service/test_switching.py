"""Records of paper under a live desk, and the other way round (faults.md 67)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox.kite import KiteServer
from storage.memory import MemoryLedger
from tests.service.live_house import LiveHouse, brisk, live_house
from tests.service.test_live_faults import bought
from tests.service.whole_house import MINUTE, running
from trader.desk.commands import Kill, StartStrategy
from trader.domain.errors import SettingsError
from trader.domain.records import LedgerState, RiskCounters
from trader.domain.times import IST
from trader.service.settings import Trading
from trader.service.switching import switched

DAY = date(2026, 11, 23)  # of the whole house's market
MORNING = datetime(2026, 11, 23, 10, 30, tzinfo=IST)


async def paper_day(*, flat: bool) -> MemoryLedger:
    async with running() as desk:
        assert (await desk.ask(StartStrategy("ema_crossover", ("TCS", "SBIN", "INFY"), "1m"), "1")).ok
        await desk.wait(40 * MINUTE)
        if flat:
            await desk.ask(Kill(), "2")
            await desk.wait(2 * MINUTE)
        assert bool(desk.house.front.view().positions) is not flat
        await desk.house.close()
        return desk.store


async def test_a_live_desk_does_not_start_on_positions_of_paper() -> None:
    ledger = await (await paper_day(flat=False)).load()
    with pytest.raises(SettingsError, match=r"PAPER's and hold 3 positions \(INFY, SBIN, TCS\)"):
        switched(ledger, Trading.LIVE, DAY + timedelta(days=1))
    assert switched(ledger, Trading.PAPER, DAY) is ledger


async def test_nor_on_orders_of_the_day_that_the_account_does_not_know() -> None:
    ledger = await (await paper_day(flat=True)).load()
    with pytest.raises(SettingsError, match=r"PAPER orders of 23 Nov 2026.*change it on a later day"):
        switched(ledger, Trading.LIVE, DAY)


async def test_on_a_later_day_it_starts_without_what_paper_earned() -> None:
    ledger = await (await paper_day(flat=True)).load()
    assert ledger.counters is not None
    assert ledger.counters.booked
    after = switched(ledger, Trading.LIVE, DAY + timedelta(days=1))
    assert after == replace(ledger, counters=None)


def test_records_without_a_session_are_anybodys() -> None:
    ledger = LedgerState(counters=RiskCounters(DAY, booked=Decimal(5)))
    assert switched(ledger, Trading.LIVE, DAY) is ledger


@brisk
async def test_a_paper_desk_does_not_start_on_real_positions(tmp_path: Path) -> None:
    held: list[LiveHouse] = []
    async with live_house(tmp_path) as live:
        await bought(live)
        held.append(live)
    ledger = await held[0].store.load()
    with pytest.raises(SettingsError, match=r"LIVE's and hold 1 position \(RELIANCE\)"):
        switched(ledger, Trading.PAPER, DAY + timedelta(days=1))


@brisk
async def test_nothing_is_asked_of_zerodha_before_it_is_refused(tmp_path: Path) -> None:
    kites: list[KiteServer] = []
    paper = await paper_day(flat=False)
    with pytest.raises(SettingsError, match="with TRADING=paper close them first"):
        async with live_house(tmp_path, start=MORNING, prepare=kites.append, store=paper):
            raise AssertionError("it started")
    assert not kites[0].calls
