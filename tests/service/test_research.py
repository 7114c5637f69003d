"""Jobs in worker processes: told how far they are, cancelled, refused, lost."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from trader.domain.errors import InvalidInput
from trader.service.research import HERE, MOST_WAITING, JobState, Research

PATIENCE = 30.0

WORKER = """
import json, os, sys, time
work = json.load(sys.stdin)
def tell(**what):
    print(json.dumps(what), flush=True)
if work["do"] == "count":
    for n in range(3):
        tell(done=n + 1, total=3, text=f"step {n + 1}")
    tell(result={"sum": 6})
elif work["do"] == "refuse":
    tell(refused="No candles of X: download them first.")
elif work["do"] == "crash":
    sys.exit("Traceback: something")
elif work["do"] == "hang":
    tell(done=1, total=2, text=str(os.getpid()))
    while True:
        time.sleep(60)
elif work["do"] == "environment":
    tell(result=dict(os.environ))
elif work["do"] == "noise":
    print("not json")
    print("x" * 100_000, file=sys.stderr)
    tell(result={"ok": 1})
elif work["do"] == "die":
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
async def research(tmp_path: Path) -> AsyncIterator[Research]:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    made = Research((sys.executable, str(script)), tmp_path)
    yield made
    await made.close()


def lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True


async def over(research: Research, do: str) -> tuple[JobState, dict[str, object], str]:
    job = research.submit(do, {"do": do})
    async with asyncio.timeout(PATIENCE):
        async for _ in research.follow(job, 0.05):
            pass
    return job.state, dict(job.result), job.trouble


async def test_a_job_ends_with_its_result(research: Research) -> None:
    assert await over(research, "count") == (JobState.DONE, {"sum": 6}, "")


async def test_a_job_that_does_not_move_on_is_not_told_again_and_again(research: Research) -> None:
    held, behind = research.submit("hang", {"do": "hang"}), research.submit("count", {"do": "count"})
    told = []

    async def follow() -> None:
        async for job in research.follow(behind, 0.01):
            told.append(job.state)

    following = asyncio.create_task(follow())
    async with asyncio.timeout(PATIENCE):
        async for _ in research.follow(held, 0.01):
            if held.text:  # its worker has started: a hundred looks and more
                break
    assert told == [JobState.WAITING]
    research.cancel(held.number)
    async with asyncio.timeout(PATIENCE):
        await following
    assert told[-1] is JobState.DONE


async def test_what_the_worker_refuses_is_its_own_sentence(research: Research) -> None:
    state, _, trouble = await over(research, "refuse")
    assert (state, trouble) == (JobState.FAILED, "No candles of X: download them first.")


@pytest.mark.parametrize(("do", "word"), [("crash", "the log has the reason"), ("die", "killed")])
async def test_a_worker_that_is_lost_fails_its_job_alone(research: Research, do: str, word: str) -> None:
    state, _, trouble = await over(research, do)
    assert state is JobState.FAILED
    assert word in trouble
    assert (await over(research, "count"))[0] is JobState.DONE


async def test_noise_is_not_a_result(research: Research) -> None:
    assert await over(research, "noise") == (JobState.DONE, {"ok": 1}, "")


async def test_a_worker_sees_no_secret(research: Research, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITE_API_SECRET", "hush")
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "1:hush")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hush@h/d")
    _, seen, _ = await over(research, "environment")
    assert seen
    assert "hush" not in str(seen)


async def test_a_cancelled_job_leaves_no_process(research: Research) -> None:
    job = research.submit("hang", {"do": "hang"})
    async with asyncio.timeout(PATIENCE):
        while not job.text:
            await job.changed.wait()
            job.changed.clear()
        assert lives(job.text)
        research.cancel(job.number)
        async for _ in research.follow(job, 0.05):
            pass
        assert job.state is JobState.CANCELLED
        assert (await over(research, "count"))[0] is JobState.DONE  # the worker before it is gone by then
    assert not lives(job.text)


async def test_jobs_wait_in_line_and_the_line_has_an_end(research: Research) -> None:
    running = research.submit("hang", {"do": "hang"})
    async with asyncio.timeout(PATIENCE):
        while not running.text:
            await running.changed.wait()
            running.changed.clear()
    waiting = [research.submit("count", {"do": "count"}) for _ in range(MOST_WAITING)]
    with pytest.raises(InvalidInput, match="waiting already"):
        research.submit("count", {"do": "count"})
    research.cancel(waiting[0].number)
    research.cancel(running.number)
    async with asyncio.timeout(PATIENCE):
        for job in waiting[1:]:
            async for _ in research.follow(job, 0.05):
                pass
    assert [job.state for job in waiting] == [JobState.CANCELLED, JobState.DONE, JobState.DONE]
    assert [job.number for job in research.jobs()] == [4, 3, 2, 1]
    with pytest.raises(InvalidInput, match="no job 99"):
        research.cancel(99)


async def test_stopping_kills_what_runs(research: Research) -> None:
    job = research.submit("hang", {"do": "hang"})
    async with asyncio.timeout(PATIENCE):
        while not job.text:
            await job.changed.wait()
            job.changed.clear()
        await research.close()
    assert job.state is JobState.CANCELLED
    assert not lives(job.text)


ALONE = """
import subprocess, sys, time
child = "from trader.backtest import worker; worker.end_with_the_desk(); print('at work', flush=True)"
subprocess.Popen([sys.executable, "-c", child + "; import time; time.sleep(300)"])
time.sleep(300)
"""


async def test_a_worker_does_not_outlive_a_desk_that_was_killed() -> None:
    desk = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ALONE, cwd=HERE, stdout=asyncio.subprocess.PIPE
    )
    assert desk.stdout is not None
    async with asyncio.timeout(PATIENCE):
        assert await desk.stdout.readline() == b"at work\n"
        desk.kill()
        assert await desk.stdout.read() == b""  # the worker's end of the pipe is closed, too
        await desk.wait()
