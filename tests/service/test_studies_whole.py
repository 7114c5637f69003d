"""A backtest asked for in a running house: a real worker, real files, and a market that goes on meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest

from tests.service.whole_house import SETTINGS, running
from trader.backtest.shelf import PAGE, PICTURE, TRADES_CSV, Shelf
from trader.backtest.work import Outcome
from trader.desk.commands import StartStrategy
from trader.domain.errors import InvalidInput
from trader.service.research import JobState
from trader.service.studies import SHELF

PATIENCE = 240.0  # the first time the loop is compiled


async def test_a_backtest_is_made_beside_the_market_and_kept(tmp_path: Path) -> None:
    async with running(settings=replace(SETTINGS, data_dir=tmp_path)) as desk:
        assert (await desk.ask(StartStrategy("ema_crossover", ("TCS",), "1m"), "1")).ok
        studies = desk.house.front.studies()
        began = desk.house.clock.now()
        job = await studies.backtest(["ema_crossover", "RELIANCE,SBIN", "5m", "20d", "fast=5", "slow=13"])
        async with asyncio.timeout(PATIENCE):
            async for at in studies.follow(job):
                if not at.state.over:
                    await desk.wait(timedelta(minutes=1))
        assert (job.state, job.trouble) == (JobState.DONE, "")
        assert desk.house.clock.now() > began
        outcome = Outcome.read(job.result)
        assert outcome.trades > 0
        assert outcome.notes[0].startswith("Simulated candles")
        folder = tmp_path / SHELF / outcome.id
        assert {path.name for path in folder.iterdir()} >= {PAGE, PICTURE, TRADES_CSV}
        assert "Simulated candles" in (folder / PAGE).read_text("utf-8")
        kept = Shelf(tmp_path / SHELF).load(outcome.id)
        assert len(kept.trades) == outcome.trades
        assert dict(kept.spec.legs[0].settings)["fast"] == "5"
        # The market of the house is the market tested: its own candles, up to now.
        assert kept.at[-1] <= began.timestamp() * 1_000_000
        await studies.research.close()


async def test_an_index_is_not_tested_for_every_order_in_it_would_be_denied(tmp_path: Path) -> None:
    async with running(settings=replace(SETTINGS, data_dir=tmp_path)) as desk:
        studies = desk.house.front.studies()
        with pytest.raises(InvalidInput, match="NIFTY 50 is an index; it cannot be traded"):
            await studies.backtest(["ema_crossover", "NIFTY", "5m", "25d"])
        assert studies.jobs() == []


async def test_a_search_goes_on_with_what_an_earlier_one_tried(tmp_path: Path) -> None:
    async with running(settings=replace(SETTINGS, data_dir=tmp_path)) as desk:
        studies = desk.house.front.studies()
        ranges = ["fast=5:11:2", "slow=20:40:10"]
        line = ["ema_crossover", "RELIANCE", "5m", "25d", *ranges, "where=trades>=1", "drawdown=60"]
        for _turn in range(2):
            job = await studies.optimize(line)
            async with asyncio.timeout(PATIENCE):
                async for _ in studies.follow(job):
                    pass
            assert (job.state, job.trouble) == (JobState.DONE, "")
        outcome = Outcome.read(job.result)
        assert dict(outcome.best)["Tried"] == "12 of 12"
        assert [Path(path).name for path in outcome.pictures] == ["heatmap.png", PICTURE]
        await studies.research.close()


async def test_a_search_s_page_says_how_its_settings_were_chosen(tmp_path: Path) -> None:
    async with running(settings=replace(SETTINGS, data_dir=tmp_path)) as desk:
        studies = desk.house.front.studies()
        line = ["ema_crossover", "RELIANCE", "5m", "25d", "fast=5:11:2", "where=trades>=1", "drawdown=60"]
        job = await studies.optimize(line)
        async with asyncio.timeout(PATIENCE):
            async for _ in studies.follow(job):
                pass
        outcome = Outcome.read(job.result)
        best = dict(outcome.best)
        html = unescape((Path(outcome.folder) / PAGE).read_text("utf-8"))
        assert all(note in html for note in outcome.notes)
        (chosen,) = [note for note in outcome.notes if note.startswith("The best of 4 settings on ")]
        assert f"sharpe {best['sharpe, held out']}, net {best['net, held out']}, " in chosen
        assert Shelf(tmp_path / SHELF).list().entries[0].about.endswith(" · searched")
        await studies.research.close()
