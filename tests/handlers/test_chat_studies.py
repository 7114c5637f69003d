"""/backtest and its neighbours: what is typed, what is told meanwhile, what comes of it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from chat_room import VIEWER, Room, nonce, seen
from fake_desk import NOW, FakeDesk
from test_telegram_chat import png

from handlers.message import Outgoing, Pre, Reply
from tests.backtest.made import made_result
from trader.backtest.metrics import metrics
from trader.backtest.shelf import Shelf
from trader.domain.times import IST
from trader.service.research import Job, Research
from trader.service.settings import read_settings
from trader.service.studies import SHELF, Studies
from trader.strategy.catalogue import Catalogue

ROOT = Path(__file__).resolve().parents[2]

# Stands in for the worker: answers with what it was asked and a result of its own.
WORKER = """
import json, sys, time
work = json.load(sys.stdin)
def tell(**what):
    print(json.dumps(what), flush=True)
leg = work["spec"]["legs"][0]
if leg["symbols"] == ["NSE:SBIN"]:
    tell(refused="There are no candles of SBIN.")
    sys.exit()
tell(done=1, total=4, text="best 0.5")
if leg["symbols"] == ["NSE:TCS"]:
    time.sleep(60)
tell(result=dict(id="20261121-120000-ema_crossover", title="ema_crossover", about="RELIANCE, 5m",
    rows=[["Net", "+1,000"], ["Trades", "12, 50% won"]], notes=["Simulated candles."], folder="FOLDER",
    pictures=["FOLDER/picture.png"], best=[["fast", "9"]] if work["hunt"] else [], trades=12, bars=100,
    seconds=0.1, stopped=""))
"""


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    (tmp_path / "picture.png").write_bytes(png())
    script = tmp_path / "worker.py"
    script.write_text(WORKER.replace("FOLDER", str(tmp_path)))
    research = Research((sys.executable, str(script)), tmp_path)
    desk = FakeDesk()
    desk.the_studies = Studies(
        read_settings({"DATA_DIR": str(tmp_path)}),
        Catalogue.discover(ROOT / "strategies"),
        lambda text: desk.find(text).key,
        lambda: NOW,
        research,
        {"risk": "1"},
    )
    yield Room(desk)
    await research.close()


async def course_of(outgoing: Outgoing) -> list[Outgoing]:
    assert outgoing.course is not None
    return [step async for step in outgoing.course]


async def test_a_backtest_begins_at_once_and_ends_with_a_picture(room: Room) -> None:
    begun = await room.offered("/backtest ema_crossover RELIANCE 5m 90d fast=9 slow=21")
    assert (seen(begun) or "").startswith("1. ema_crossover RELIANCE 5m\nStarting…")
    *_, said, result = await course_of(begun)
    assert seen(said) == "1. ema_crossover RELIANCE 5m\nDone; the result is below."
    shown = seen(result) or ""
    assert shown.startswith("ema_crossover\nRELIANCE, 5m\nNet")
    assert "Kept as 20261121-120000-ema_crossover" in shown
    assert result.reply.picture == png()
    assert max(len(line) for line in shown.splitlines() if line.startswith(("Net", "Trades"))) <= 34


async def test_a_search_shows_the_best_settings_first(room: Room) -> None:
    begun = await room.offered("/optimize ema_crossover RELIANCE 5m 1y fast=5:20:1 slow=20:60:5 trials=50")
    shown = seen((await course_of(begun))[-1]) or ""
    assert shown.index("fast") < shown.index("Net")


async def test_walking_forward_is_a_job_with_its_windows(room: Room) -> None:
    line = "/walkforward ema_crossover RELIANCE 5m 1y fast=5:9:2 train=40 test=15 anchored=yes"
    begun = await room.offered(line)
    assert (seen(begun) or "").startswith("1. ema_crossover RELIANCE 5m\nStarting…")
    assert nonce(begun, "Cancel 1")
    work = room.desk.studies().jobs()[0].work
    assert work["windows"] == {"train": 40, "test": 15, "anchored": True}
    assert work["hunt"]["ranges"] == {"fast": "5:9:2"}
    assert (seen((await course_of(begun))[-1]) or "").startswith("ema_crossover\nRELIANCE, 5m\n")
    assert "walk forward from" in (await room.typed("/jobs") or "")


async def test_monte_carlo_is_of_a_kept_result_in_a_table_for_a_phone(room: Room, tmp_path: Path) -> None:
    result = made_result(3)
    number = Shelf(tmp_path / SHELF).save(result, metrics(result), datetime(2026, 11, 20, 18, 5, tzinfo=IST))
    research = Research()  # the real worker
    room.desk.the_studies = replace(room.desk.studies(), research=research)
    begun = await room.offered("/montecarlo 1 runs=50")
    assert (seen(begun) or "").startswith("1. Monte Carlo of ema_crossover\nStarting…")
    shown = (await course_of(begun))[-1]
    await research.close()
    said = (seen(shown) or "").splitlines()
    assert said[0] == "Monte Carlo of ema_crossover"
    assert said[2] == "Of 100 runs  Drawdown          Net"
    assert [line.split()[0] for line in said[3:9]] == ["5th", "25th", "50th", "75th", "95th", "Backtest"]
    assert wide(shown.reply) <= 34
    assert shown.reply.picture == (tmp_path / SHELF / number / "fan-bootstrap.png").read_bytes()


async def test_what_the_worker_refuses_is_told_in_its_words(room: Room) -> None:
    begun = await room.offered("/backtest ema_crossover SBIN 5m 30d")
    assert (seen((await course_of(begun))[-1]) or "").endswith("There are no candles of SBIN.")


async def test_a_running_job_is_listed_and_cancelled_by_its_button(room: Room) -> None:
    begun = await room.offered("/backtest ema_crossover TCS 5m 30d")
    jobs = await room.offered("/jobs")
    assert "ema_crossover TCS 5m" in (seen(jobs) or "")
    assert nonce(jobs, "Cancel 1")
    assert await room.pressed(begun, "Cancel 1") == "Job 1, ema_crossover TCS 5m: cancelled."
    assert (seen((await course_of(begun))[-1]) or "").endswith("Cancelled.")
    assert "cancelled" in (await room.typed("/jobs") or "")


async def test_jobs_that_differ_in_their_settings_only_are_told_apart(room: Room) -> None:
    await room.offered("/backtest ema_crossover TCS 5m 30d fast=9")
    await room.offered("/optimize ema_crossover TCS 5m 2026-10-01..2026-11-01 fast=5:9:1")
    shown = await room.typed("/jobs") or ""
    lines = shown.splitlines()
    assert " search from 1 Oct 2026 to 1 Nov" in lines
    assert " 2026, fast=5:9:1" in lines
    assert any(line.startswith(" test from ") and line.endswith("fast=9") for line in lines), shown
    assert max(map(len, lines)) <= 34


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/backtest", "Expected a strategy and symbols"),
        ("/backtest ema_crosover RELIANCE", "Did you mean ema_crossover?"),
        ("/backtest ema_crossover RELIANCEE", "Did you mean RELIANCE"),
        ("/backtest ema_crossover RELIANCE fst=9", "Did you mean fast"),
        ("/backtest ema_crossover RELIANCE fast=30", "expected less than slow"),
        (
            "/backtest ema_crossover RELIANCE capital=ten",
            "from 1,000 to 10,00,00,00,00,000, was 'ten'",
        ),
        ("/backtest ema_crossover RELIANCE data=/etc", "data= is for the shell"),
        ("/backtest pair_reversion RELIANCE", "pair_reversion needs 2 symbols, was given 1"),
        ("/optimize ema_crossover RELIANCE fast=20:5:1", "fast"),
        ("/optimize ema_crossover RELIANCE trials=0", "Expected trials from 1 to 10,00,000, was '0'"),
        ("/optimize ema_crossover RELIANCE fast=5:9:1 goal=sharp", "Did you mean sharpe?"),
        ("/optimize ema_crossover RELIANCE fast=5:9:1 where=trades>>1", "expected a bound as in trades>=30"),
        ("/optimize ema_crossover RELIANCE fast=5:9:1 sampler=grit", "Did you mean grid?"),
        ("/walkforward ema_crossover RELIANCE fast=5:9:1 train=0", "Expected train from 1 to 5,000"),
        ("/walkforward ema_crossover RELIANCE fast=5:9:1 holdout=20", "holdout= means nothing here"),
        ("/walkforward ema_crossover RELIANCE fast=5:9:1 workers=2", "python bot.py walkforward"),
        ("/montecarlo", "Expected one result's name or number, as /backtests lists them. Usage: /montecarlo"),
        ("/montecarlo 1", "There is no result 1: none was kept yet."),
        ("/montecarlo 1 order=other", "Expected bootstrap or shuffle"),
        ("/montecarlo 1 noise=20 order=shuffle", "not both"),
        ("/montecarlo 1 runs=many", "Expected runs from 1 to 1,00,000"),
        ("/backtest ema_crossover RELIANCE 0001-01-01..9999-12-31", "Expected days from 1990 to 2100"),
        ("/cancel_job", "Expected a number"),
        ("/cancel_job 7", "There is no job 7"),
        ("/backtests ../../etc", "backtest"),
    ],
)
async def test_what_cannot_be_done_is_a_sentence_and_begins_nothing(line: str, says: str, room: Room) -> None:
    assert says in (await room.typed(line) or "")
    assert room.desk.studies().jobs() == []


async def test_kept_results_are_listed_for_viewers_too(room: Room, tmp_path: Path) -> None:
    assert (await room.typed("/backtests") or "").startswith("No result was kept yet.")
    result = made_result(3)
    shelf = Shelf(tmp_path / SHELF)
    number = shelf.save(result, metrics(result), datetime(2026, 11, 20, 18, 5, tzinfo=IST))
    shown = await room.typed("/backtests", VIEWER) or ""
    assert number in shown
    assert "Fri 20 Nov 2026 18:05:00" in shown
    side_by_side = await room.typed(f"/backtests {number} {number}") or ""
    assert side_by_side.count(number) == 2
    for line in ("/backtests", f"/backtests {number} {number}"):
        assert wide((await room.offered(line)).reply) <= 34
    assert "the owner's" in (await room.typed("/backtest ema_crossover RELIANCE", VIEWER) or "")


async def test_kept_results_are_compared_by_typing_little(room: Room, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / SHELF)
    result = made_result(3)
    older, newer = (
        shelf.save(result, metrics(result), datetime(2026, 11, 20, 18, minute, tzinfo=IST))
        for minute in (5, 6)
    )
    lines = (await room.typed("/backtests") or "").splitlines()
    assert [line[:2] for line in lines if line.endswith("%")] == ["1 ", "2 "]
    assert lines.index(newer) < lines.index(older)
    for words in ("1 2", f"{newer} {older}", "20261120-1806 20261120-1805"):
        shown = (await room.typed(f"/backtests {words}") or "").splitlines()
        assert shown.index(newer) < shown.index(older), words
    assert "There is no result 3: 1 to 2, 1 the newest." in (await room.typed("/backtests 3 1") or "")
    assert "can be 20261120-180600" in (await room.typed("/backtests 2026 1") or "")
    assert "No backtest is called '2025-'" in (await room.typed("/backtests 2025- 1") or "")


def wide(reply: Reply) -> int:
    """Columns of its tables."""
    return max(
        len(line) for block in reply.blocks if isinstance(block, Pre) for line in block.text.split("\n")
    )


async def test_a_job_that_failed_says_why_in_the_list(room: Room) -> None:
    await course_of(await room.offered("/backtest ema_crossover SBIN 5m 30d"))
    listed = await room.offered("/jobs")
    assert "There are no candles of SBIN." in (seen(listed) or "")
    assert wide(listed.reply) <= 34


async def test_symbols_a_job_s_title_has_no_room_for_are_counted(room: Room) -> None:
    begun = await room.offered("/backtest ema_crossover TCS,INFY,RELIANCE,SBIN 5m 30d")
    assert (seen(begun) or "").startswith("1. ema_crossover TCS, INFY, RELIANCE and 1 more 5m\n")
    await room.pressed(begun, "Cancel 1")


class Looking(Research):
    """Looks often."""

    def follow(self, job: Job, every: float = 0.01) -> AsyncIterator[Job]:
        return super().follow(job, every)


async def test_a_terminal_is_told_where_the_picture_is(room: Room, tmp_path: Path) -> None:
    begun = await room.dispatcher(room.from_terminal("/backtest ema_crossover RELIANCE 5m 9d"))
    assert begun is not None
    result = (await course_of(begun))[-1]
    assert result.reply.picture is None
    assert f"Picture: {tmp_path}/picture.png" in (seen(result) or "").splitlines()


async def test_a_terminal_has_a_line_for_each_step_and_not_for_each_look(room: Room, tmp_path: Path) -> None:
    worker = tmp_path / "worker.py"
    slow = """
for n in range(1, 41):
    tell(done=n, total=40, text=f"best {n}")
    time.sleep(0.05)
"""
    worker.write_text(worker.read_text().replace('tell(done=1, total=4, text="best 0.5")', slow))
    research = Looking((sys.executable, str(worker)), tmp_path)
    room.desk.the_studies = replace(room.desk.studies(), research=research)
    begun = await room.dispatcher(room.from_terminal("/backtest ema_crossover RELIANCE 5m 9d"))
    assert begun is not None
    *steps, _result = [step.reply.headline for step in await course_of(begun)]
    await research.close()
    assert "1. ema_crossover RELIANCE 5m: 50% of 40" in steps
    assert len(steps) == len(set(steps)) <= 12


async def test_what_a_phone_leaves_out_of_many_warnings_is_counted(room: Room, tmp_path: Path) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(
        worker.read_text().replace('["Simulated candles."]', '[f"Note {n}." for n in range(9)]')
    )
    shown = seen((await course_of(await room.offered("/backtest ema_crossover RELIANCE 5m 9d")))[-1]) or ""
    assert "Note 6.\n2 more on the page." in shown
