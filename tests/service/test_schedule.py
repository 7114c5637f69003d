"""The day's jobs: when they are due, what a late start catches up, and that nothing runs twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import pytest
from apscheduler.jobstores.memory import MemoryJobStore

from trader.desk.events import Job
from trader.domain.times import IST
from trader.market.calendar import Calendar, Session
from trader.service.clock import SteppedClock
from trader.service.schedule import TIMINGS, OnTradingDays, Schedule

MONDAY, HOLIDAY = date(2026, 11, 23), date(2026, 11, 24)
EARLY = Session(
    datetime(2026, 11, 25, 8, 0, tzinfo=IST),
    datetime(2026, 11, 25, 9, 0, tzinfo=IST),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


class Market:
    """A clock that jumps from job to job, and what ran."""

    def __init__(
        self, start: str, ran: Mapping[Job, date] | None = None, calendar: Calendar | None = None
    ) -> None:
        self.calendar = calendar or Calendar.load()
        self.clock = SteppedClock(at(start), None)
        self.ran: list[str] = []
        self.schedule = Schedule(self.calendar, self.clock, self._run, ran or {})

    async def _run(self, job: Job, day: date) -> None:
        self.ran.append(f"{job} {day:%d} at {self.clock.now():%d %H:%M}")

    async def run_to(self, until: str) -> list[str]:
        """As the pump does it: the clock goes to each due job, then on."""
        while (due := self.schedule.next_due()) is not None and due <= at(until):
            self.clock.advance(due)
            await self.schedule.run_due(self.clock.now())
        self.clock.advance(at(until))
        return self.ran

    async def leap_to(self, until: str) -> list[str]:
        """A market whose clock stood still: a machine that slept."""
        self.clock.advance(at(until))
        await self.schedule.run_due(self.clock.now())
        return self.ran


@pytest.mark.parametrize(
    ("job", "after", "expected"),
    [
        (Job.CHECKLIST, "2026-11-23T00:00", "2026-11-23T08:45"),
        (Job.DIGEST, "2026-11-23T00:00", "2026-11-23T15:45"),
        (Job.DIGEST, "2023-05-02T00:00", "2023-05-02T15:35"),  # nothing traded after 15:30 then
        (Job.CHECKLIST, "2026-11-23T12:00", "2026-11-25T08:45"),  # Tuesday is Guru Nanak Jayanti
        (Job.CHECKLIST, "2026-11-27T12:00", "2026-11-30T08:45"),  # a weekend
        (Job.CHECKLIST, "2026-11-07T12:00", "2026-11-08T08:45"),  # Muhurat, on a Sunday afternoon
        (Job.DIGEST, "2026-11-07T12:00", "2026-11-08T14:50"),
        (Job.CHECKLIST, "2026-11-24T12:00", "2026-11-25T07:30"),  # the early session below
        (Job.WEEKLY, "2026-11-23T00:00", "2026-11-27T15:45"),
        (Job.WEEKLY, "2026-09-28T00:00", "2026-10-01T15:45"),  # Friday is Gandhi Jayanti
        (Job.WEEKLY, "2026-11-02T00:00", "2026-11-08T14:50"),  # Muhurat ends its week
    ],
)
def test_a_job_comes_at_the_time_the_calendar_makes_of_its_day(job: Job, after: str, expected: str) -> None:
    calendar = Calendar.load()
    if expected == "2026-11-25T07:30":
        calendar = calendar.with_sessions([EARLY])
    trigger = OnTradingDays(calendar, TIMINGS[job])
    assert trigger.get_next_fire_time(None, at(after)) == at(expected)


def test_a_time_is_given_once() -> None:
    trigger = OnTradingDays(Calendar.load(), TIMINGS[Job.CHECKLIST])
    due = at("2026-11-23T08:45")
    assert trigger.get_next_fire_time(None, due) == due
    assert trigger.get_next_fire_time(due, due) == at("2026-11-25T08:45")


async def test_a_week_of_jobs_comes_in_order_and_skips_the_holiday() -> None:
    market = Market("2026-11-23T08:00")
    assert await market.run_to("2026-11-29T23:00") == [
        "checklist 23 at 23 08:45",
        "digest 23 at 23 15:45",
        "checklist 25 at 25 08:45",
        "digest 25 at 25 15:45",
        "checklist 26 at 26 08:45",
        "digest 26 at 26 15:45",
        "checklist 27 at 27 08:45",
        "digest 27 at 27 15:45",
        "weekly 27 at 27 15:45",
    ]


@pytest.mark.parametrize(
    ("start", "caught_up"),
    [
        ("2026-11-23T08:44", []),
        ("2026-11-23T09:20", ["checklist 23 at 23 09:20"]),
        ("2026-11-23T15:15", ["checklist 23 at 23 15:15"]),  # the first venue closes
        ("2026-11-23T15:16", []),
        ("2026-11-23T15:45", ["digest 23 at 23 15:45"]),
        ("2026-11-23T23:59", ["digest 23 at 23 23:59"]),
        ("2026-11-24T00:00", []),
        ("2026-11-24T10:00", []),  # a holiday
        ("2026-11-27T20:00", ["digest 27 at 27 20:00", "weekly 27 at 27 20:00"]),
    ],
)
async def test_a_start_after_the_time_asks_whether_todays_run_was_done(
    start: str, caught_up: list[str]
) -> None:
    assert await Market(start).run_to(start) == caught_up
    ran = dict.fromkeys(Job, at(start).date())
    assert await Market(start, ran).run_to(start) == []
    yesterday = dict.fromkeys(Job, at(start).date() - timedelta(days=1))
    assert await Market(start, yesterday).run_to(start) == caught_up


async def test_a_machine_that_slept_runs_the_last_digest_only() -> None:
    market = Market("2026-11-23T15:00")
    assert await market.leap_to("2026-11-26T16:00") == ["digest 26 at 26 16:00"]
    assert market.schedule.next_due() == at("2026-11-27T08:45")


async def test_a_job_that_is_too_late_is_missed_and_the_next_day_has_it_again() -> None:
    market = Market("2026-11-23T08:00")
    assert await market.leap_to("2026-11-23T15:20") == []
    assert (await market.run_to("2026-11-25T09:00"))[-1] == "checklist 25 at 25 08:45"


async def test_a_job_that_fails_does_not_take_the_others_along() -> None:
    market = Market("2026-11-27T15:00", {Job.CHECKLIST: date(2026, 11, 27)})
    run = market._run

    async def fail_once(job: Job, day: date) -> None:
        if job is Job.DIGEST:
            raise RuntimeError("a bug of ours")
        await run(job, day)

    market.schedule._run = fail_once
    assert await market.run_to("2026-11-27T16:00") == ["weekly 27 at 27 15:45"]
    assert market.schedule.next_due() == at("2026-11-30T08:45")


async def test_a_day_the_owner_closes_has_no_jobs_and_a_reopened_one_has_them_again() -> None:
    market = Market("2026-11-25T16:00", dict.fromkeys(Job, date(2026, 11, 25)))
    friday = date(2026, 11, 27)
    market.calendar.close(friday, "a mourning")
    assert await market.run_to("2026-11-26T23:00") == [
        "checklist 26 at 26 08:45",
        "digest 26 at 26 15:45",
        "weekly 26 at 26 15:45",
    ]
    market.calendar.reopen(friday)
    assert market.schedule.next_due() == at("2026-11-27T08:45")
    market.calendar.close(friday, "a mourning")
    assert market.schedule.next_due() == at("2026-11-30T08:45")


async def test_closing_a_later_day_does_not_repeat_todays_job() -> None:
    market = Market("2026-11-23T08:00")
    await market.run_to("2026-11-23T10:00")
    market.calendar.close(date(2026, 11, 26), "an election")
    assert await market.run_to("2026-11-23T12:00") == ["checklist 23 at 23 08:45"]


def test_the_jobs_lie_in_apschedulers_store_with_a_grace_of_their_own() -> None:
    store = Market("2026-11-23T08:00").schedule._scheduler._jobstores["default"]
    assert isinstance(store, MemoryJobStore)
    jobs = {job.id: job for job in store.get_all_jobs()}
    assert set(jobs) == {"checklist", "digest", "weekly"}
    assert jobs["checklist"].misfire_grace_time == (15 * 60 + 15 - 8 * 60 - 45) * 60
    assert all(job.coalesce for job in jobs.values())
