"""Backtests and searches, each in a process of its own: the trading loop never waits for one.

A worker is given its work as one JSON object on its standard input and answers with JSON lines: any number
of ``{"done": 3, "total": 10, "text": "…"}``, then one ``{"result": {…}}`` or ``{"refused": "sentence"}``. It
runs with a lower priority, without this process's secrets, and is killed when it is cancelled or Munim
stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from trader.domain.errors import InvalidInput, MunimError

log = logging.getLogger(__name__)

HERE = Path(__file__).resolve().parents[2]
WORKER = (sys.executable, "-m", "trader.backtest.worker")
MOST_WAITING = 3  # jobs behind the running one
KEPT = 20  # finished jobs that can still be asked about
TOLD_EVERY = 3.0  # seconds between two looks at a running job: Telegram takes about 20 edits a minute
AGAIN_AFTER = 24.0  # the next look is in time for a red button, which lives 30 seconds
LONGEST_LINE = 1 << 20
_LAST_WORDS = 4000  # bytes of what a worker said on its standard error
# What a worker needs of the environment. Not tokens, passwords or the ledger's address.
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
    "NUMBA_CACHE_DIR",
    "MPLCONFIGDIR",
)


Prepare = Callable[[], Awaitable[None]]


class JobState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        return self not in (JobState.WAITING, JobState.RUNNING)


@dataclass(slots=True)
class Job:
    """``title`` is what people read. ``result`` is the worker's once DONE, ``trouble`` its sentence once
    FAILED. ``total`` 0: nobody knows yet. ``prepare`` is awaited before the worker is started."""

    number: int
    title: str
    work: Mapping[str, Any]
    prepare: Prepare | None = None
    about: str = ""  # the days and settings of it
    state: JobState = JobState.WAITING
    done: int = 0
    total: int = 0
    text: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    trouble: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    process: asyncio.subprocess.Process | None = None


class Research:
    """One worker at a time: a second would only slow the first down, and the desk with it."""

    def __init__(self, worker: Sequence[str] = WORKER, folder: Path = HERE) -> None:
        self._worker = tuple(worker)
        self._folder = folder
        self._waiting: deque[Job] = deque()
        self._jobs: dict[int, Job] = {}
        self._serial = 0
        self._running: asyncio.Task[None] | None = None

    def submit(
        self, title: str, work: Mapping[str, Any], prepare: Prepare | None = None, about: str = ""
    ) -> Job:
        """InvalidInput when too many are waiting already."""
        if sum(job.state is JobState.WAITING for job in self._waiting) >= MOST_WAITING:
            raise InvalidInput(
                f"{MOST_WAITING} jobs are waiting already. /jobs lists them, /cancel_job ends one."
            )
        self._serial += 1
        job = self._jobs[self._serial] = Job(self._serial, title, work, prepare, about)
        for old in [n for n, j in self._jobs.items() if j.state.over][:-KEPT]:
            del self._jobs[old]
        self._waiting.append(job)
        if self._running is None or self._running.done():
            job.state = JobState.RUNNING
        elif not any(other.state is JobState.RUNNING for other in self._jobs.values()):
            job.text = "starting"  # the one before it is just being put away
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._work_off(), name="research")
        return job

    def jobs(self) -> Sequence[Job]:
        """Newest first."""
        return sorted(self._jobs.values(), key=lambda job: -job.number)

    def job(self, number: int) -> Job:
        """InvalidInput when there is none of this number."""
        if number not in self._jobs:
            raise InvalidInput(f"There is no job {number}. /jobs lists those there are.")
        return self._jobs[number]

    def cancel(self, number: int) -> Job:
        """End a job; one that is over stays as it is."""
        job = self.job(number)
        if job.state is JobState.WAITING:
            self._waiting.remove(job)
        if not job.state.over:
            self._end(job, JobState.CANCELLED)
            _kill(job.process)
        return job

    async def follow(self, job: Job, every: float = TOLD_EVERY) -> AsyncIterator[Job]:
        """The job each time it has moved on, at most once in ``every`` seconds, and when it is over; once in
        ``AGAIN_AFTER`` where it has not, for its message has a button that gets old."""
        seen, at = None, 0.0
        now = asyncio.get_running_loop().time
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every):
                    while not job.state.over:
                        await job.changed.wait()
                        job.changed.clear()
            found = job.state, job.done, job.total, job.text
            if found != seen or job.state.over or now() - at >= AGAIN_AFTER:
                seen, at = found, now()
                yield job
            if job.state.over:
                return

    async def close(self) -> None:
        """Kill what runs; results already kept stay."""
        for job in self._jobs.values():
            if not job.state.over:
                self._end(job, JobState.CANCELLED)
                _kill(job.process)
        self._waiting.clear()
        if self._running is not None:
            await asyncio.gather(self._running, return_exceptions=True)

    # -- one job ---------------------------------------------------------------------------------

    async def _work_off(self) -> None:
        while self._waiting:
            job = self._waiting.popleft()
            if job.state.over:  # cancelled before its turn came
                continue
            job.state = JobState.RUNNING
            job.changed.set()
            try:
                if job.prepare is not None:
                    job.text = "fetching candles"
                    await job.prepare()
                if not job.state.over:
                    await self._run(job)
            except MunimError as e:
                self._fail(job, str(e))
            except Exception as e:
                log.exception("job %d", job.number)
                self._fail(job, f"The worker could not be run: {type(e).__name__}")

    async def _run(self, job: Job) -> None:
        process = job.process = await asyncio.create_subprocess_exec(
            *self._worker,
            cwd=self._folder,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
            start_new_session=True,  # a Ctrl-C in the terminal is the desk's to handle
        )
        if job.state.over:  # cancelled while it was being started
            _kill(process)
        assert process.stdin is not None  # noqa: S101 - it was asked for; this tells mypy
        assert process.stderr is not None  # noqa: S101 - the same
        last_words = asyncio.create_task(_tail(process.stderr))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(json.dumps(dict(job.work)).encode())
            await process.stdin.drain()
            process.stdin.close()
        try:
            await self._listen(job, process)
            await process.wait()
        finally:
            _kill(process)
            job.process = None
            words = await last_words
        if not job.state.over:
            log.error("job %d: worker ended with %s: %s", job.number, process.returncode, words)
            self._fail(job, _why(process.returncode))

    async def _listen(self, job: Job, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for; this tells mypy
        async for line in process.stdout:
            if job.state.over:
                return
            try:
                told = json.loads(line)
            except ValueError:
                log.warning("job %d said %r", job.number, line[:200])
                continue
            if "result" in told:
                job.result = told["result"]
                self._end(job, JobState.DONE)
            elif "refused" in told:
                self._fail(job, str(told["refused"]))
            else:
                job.done, job.total = int(told.get("done", 0)), int(told.get("total", 0))
                job.text = str(told.get("text", ""))
                job.changed.set()

    def _fail(self, job: Job, sentence: str) -> None:
        job.trouble = sentence
        self._end(job, JobState.FAILED)

    def _end(self, job: Job, state: JobState) -> None:
        if not job.state.over:
            job.state = state
        job.changed.set()


def _kill(process: asyncio.subprocess.Process | None) -> None:
    if process is not None and process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


async def _tail(stream: asyncio.StreamReader) -> str:
    """For the log."""
    kept = b""
    while chunk := await stream.read(65_536):
        kept = (kept + chunk)[-_LAST_WORDS:]
    return kept.decode(errors="replace")


def _why(code: int | None) -> str:
    if code is not None and code < 0:
        return (
            "The worker was killed, probably for want of memory: test fewer symbols or a shorter span."
            if code == -9
            else f"The worker was ended by signal {-code}."
        )
    return "The worker failed; the log has the reason."
