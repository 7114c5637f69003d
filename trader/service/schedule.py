"""The day's jobs, run by APScheduler on the market's clock.

APScheduler's own schedulers and executors read the machine's clock: ``BaseScheduler._process_jobs`` to find
what is due, ``executors.base.run_job`` to judge how late it is. In a market that is simulated or replayed
that clock says nothing, and nothing may sleep by it. So these two are done here, by our clock, and whoever
moves it asks first what is due. Jobs, their store, triggers, coalescing, misfire grace and events are
APScheduler's.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_EXECUTED, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job as ScheduledJob
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.base import BaseTrigger

from trader.desk.events import Job
from trader.domain.times import IST, ist
from trader.market.calendar import Calendar
from trader.market.phases import Venue
from trader.ports.clock import Clock

log = logging.getLogger(__name__)

Run = Callable[[Job, date], Awaitable[None]]

CHECKLIST_AT = time(8, 45)
BEFORE_OPENING = timedelta(minutes=30)  # the checklist of a day that opens before 09:15
AFTER_CLOSE = timedelta(minutes=5)  # the digest
_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)
_FURTHEST = 400  # days; a calendar without a trading day for longer than this has no next one


@dataclass(frozen=True, slots=True)
class Timing:
    """When a job runs on a day, None on days without it, and until when it is still worth running."""

    at: Callable[[Calendar, date], datetime | None]
    until: Callable[[Calendar, date], datetime]


def checklist_at(calendar: Calendar, day: date) -> datetime | None:
    """08:45, or half an hour before the first opening where that is earlier."""
    session = calendar.session(day)
    if session is None:
        return None
    return min(datetime.combine(day, CHECKLIST_AT, IST), session.opens_at - BEFORE_OPENING)


def digest_at(calendar: Calendar, day: date) -> datetime | None:
    """Five minutes after the last venue's close."""
    session = calendar.session(day)
    return None if session is None else session.closes_at + AFTER_CLOSE


def weekly_at(calendar: Calendar, day: date) -> datetime | None:
    """With the digest of the week's last trading day, and behind it."""
    return digest_at(calendar, day) if calendar.ends_week(day) else None


def first_close(calendar: Calendar, day: date) -> datetime:
    """When the first venue ends its continuous trading."""
    sessions = [calendar.session(day, venue) for venue in Venue]
    return min((s.closes_at for s in sessions if s is not None), default=midnight(calendar, day))


def midnight(calendar: Calendar, day: date) -> datetime:
    """The day's end, which is the market's, not the machine's."""
    del calendar
    return datetime.combine(day + _DAY, time(0), IST) - _SECOND


TIMINGS: Mapping[Job, Timing] = {
    Job.CHECKLIST: Timing(checklist_at, first_close),  # of no use to a day that is nearly over
    Job.DIGEST: Timing(digest_at, midnight),
    Job.WEEKLY: Timing(weekly_at, midnight),
}


class OnTradingDays(BaseTrigger):  # type: ignore[misc] # APScheduler ships no types
    """Fires when the calendar says, at most once a day. Pure: what ran already is the Schedule's to know."""

    __slots__ = ("_calendar", "_timing")

    def __init__(self, calendar: Calendar, timing: Timing) -> None:
        self._calendar = calendar
        self._timing = timing

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The first time after the previous one, or not before ``now`` where there was none."""
        after = ist(previous_fire_time or now)
        for days in range(_FURTHEST):
            at = self.on(after.date() + days * _DAY)
            if at is not None and (at > after or (at == after and previous_fire_time is None)):
                return at
        return None

    def on(self, day: date) -> datetime | None:
        return self._timing.at(self._calendar, day)

    def grace(self, fire_time: datetime) -> int:
        """Whole seconds, at least one, that a run may be late: APScheduler's ``misfire_grace_time``."""
        until = self._timing.until(self._calendar, fire_time.date())
        return max(int((until - fire_time).total_seconds()), 1)


class InTurn(BaseExecutor):  # type: ignore[misc] # APScheduler ships no types
    """Keeps what is due until ``run`` awaits it, one after the other. APScheduler's own executors would start
    it behind our back and call it late by the machine's clock."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[tuple[ScheduledJob, Sequence[datetime], timedelta]] = deque()

    def _do_submit_job(self, job: ScheduledJob, run_times: Sequence[datetime]) -> None:
        self._waiting.append((job, run_times, timedelta(seconds=job.misfire_grace_time)))

    async def run(self, now: datetime) -> None:
        while self._waiting:
            job, run_times, grace = self._waiting.popleft()
            try:
                events = [await self._run(job, at, now, grace) for at in run_times]
            except Exception as error:
                # It stays undone in the ledger, so the next start tries again.
                self._run_job_error(job.id, error, error.__traceback__)
            else:
                self._run_job_success(job.id, events)

    async def _run(self, job: ScheduledJob, at: datetime, now: datetime, grace: timedelta) -> Any:
        if now - at > grace:
            log.warning("the %s of %s was missed by %s", job.id, at.date(), now - at)
            return JobExecutionEvent(EVENT_JOB_MISSED, job.id, "default", at)
        done = await job.func(*job.args)
        return JobExecutionEvent(EVENT_JOB_EXECUTED, job.id, "default", at, retval=done)


class MarketScheduler(BaseScheduler):  # type: ignore[misc] # APScheduler ships no types
    """Finds what is due by ``clock``; sleeps never."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.in_turn = InTurn()
        super().__init__(timezone=IST, executors={"default": self.in_turn})

    def wakeup(self) -> None:
        """Who moves the clock asks by himself."""

    def shutdown(self, wait: bool = True) -> None:
        super().shutdown(wait)

    def next_run_time(self) -> datetime | None:
        times = [store.get_next_run_time() for store in self._jobstores.values()]
        return min((at for at in times if at is not None), default=None)

    def process(self) -> None:
        """Hand everything due to the executor: ``BaseScheduler._process_jobs`` with our now."""
        now = self._clock.now()
        for store in self._jobstores.values():
            for job in store.get_due_jobs(now):
                run_times = job._get_run_times(now)
                if job.coalesce:
                    run_times = run_times[-1:]
                # APScheduler knows one grace for all runs of a job; ours depends on the day's hours.
                job._modify(misfire_grace_time=job.trigger.grace(run_times[-1]))
                self._lookup_executor(job.executor).submit_job(job, run_times)
                following = job.trigger.get_next_fire_time(run_times[-1], now)
                if following is None:
                    self.remove_job(job.id)
                else:
                    job._modify(next_run_time=following)
                    store.update_job(job)


class Schedule:
    """The jobs of the trading days.

    ``run`` is awaited with the job and its day. ``ran`` says for each job the day it ran last, so that a
    start after a job's time asks "did today's run?" and catches up where it did not.
    """

    def __init__(self, calendar: Calendar, clock: Clock, run: Run, ran: Mapping[Job, date]) -> None:
        self._calendar = calendar
        self._clock = clock
        self._run = run
        self._ran = dict(ran)
        self._closures = dict(calendar.closures())
        self._scheduler = MarketScheduler(clock)
        self._scheduler.start()
        self._arm()

    def next_due(self) -> datetime | None:
        """When the next job is to run, possibly in the past; None without a trading day ahead."""
        if self._calendar.closures() != self._closures:
            self._closures = dict(self._calendar.closures())
            self._arm()
        due: datetime | None = self._scheduler.next_run_time()
        return due

    async def run_due(self, now: datetime) -> None:
        """Run what is due, in order. The clock stands at ``now``."""
        self._scheduler.process()
        await self._scheduler.in_turn.run(now)

    def close(self) -> None:
        self._scheduler.shutdown(wait=False)

    async def _once(self, job: Job) -> None:
        day = ist(self._clock.now()).date()  # the job's own: no grace reaches past midnight
        if self._ran.get(job) == day:
            return
        await self._run(job, day)
        self._ran[job] = day

    def _arm(self) -> None:
        """Put every job at its next time: at the start, and when the owner closed or reopened a day."""
        now = ist(self._clock.now())
        for job, timing in TIMINGS.items():
            trigger = OnTradingDays(self._calendar, timing)
            first = self._first(job, trigger, now)
            if first is None:
                continue
            self._scheduler.add_job(
                self._once,
                trigger,
                args=(job,),
                id=str(job),
                next_run_time=first,
                misfire_grace_time=trigger.grace(first),
                coalesce=True,  # of several days slept through, only the last is news
                replace_existing=True,
            )

    def _first(self, job: Job, trigger: OnTradingDays, now: datetime) -> datetime | None:
        today = trigger.on(now.date())
        undone = today is not None and self._ran.get(job) != now.date()
        if today is not None and undone and now - today <= timedelta(seconds=trigger.grace(today)):
            return today
        after = now if today is None else max(now, today)
        following: datetime | None = trigger.get_next_fire_time(after, now)
        return following
