"""How the market passes over nights and holidays: every job at its own time, before the next moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from storage.memory import MemoryLedger
from trader.desk.effects import Effect
from trader.desk.events import CheckLine, ClockTicked, Event, Job, JobDue, TicksArrived
from trader.domain.errors import BrokerUnavailable, CommitFailed
from trader.domain.funds import Funds
from trader.domain.instrument import Exchange, Instrument, InstrumentKey
from trader.domain.market import Bar, Interval, Tick
from trader.domain.position import DayResult
from trader.domain.times import IST
from trader.feed.aggregator import Aggregator
from trader.feed.port import BarBatch, Batch, Silence, TickBatch
from trader.market.calendar import Calendar
from trader.market.instruments import Instruments
from trader.service.clock import SteppedClock
from trader.service.desk_service import DeskService
from trader.service.jobs import DayJobs
from trader.service.pump import Pump
from trader.service.schedule import Schedule

SBIN = InstrumentKey("NSE:SBIN")
STATE_BANK = Instrument(Exchange.NSE, "SBIN", 1, Decimal("0.05"))
PATIENCE = 5.0  # seconds for what takes a few milliseconds


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


class Diary:
    """A desk that writes down what it hears and does nothing."""

    busy = False

    def __init__(self) -> None:
        self.events: list[Event] = []

    def handle(self, event: Event) -> list[Effect]:
        self.events.append(event)
        return []

    def told(self) -> list[str]:
        words = []
        for event in self.events:
            if isinstance(event, JobDue):
                words.append(f"{event.job} {event.at:%d %H:%M}")
            elif isinstance(event, TicksArrived):
                words.append(f"prices {event.at:%d %H:%M}")
        return words

    def jobs(self) -> list[JobDue]:
        return [event for event in self.events if isinstance(event, JobDue)]


class Hall:
    """A paper exchange without orders: the broker's side and the market's."""

    name, live = "paper", False

    def __init__(self) -> None:
        self.funds_are: Funds | Exception = Funds(Decimal(100_000), Decimal(80_000))
        self.ended: list[date] = []
        self.fails_at: datetime | None = None

    def listen(self, sink: object) -> None: ...

    async def funds(self) -> Funds:
        if isinstance(self.funds_are, Exception):
            raise self.funds_are
        return self.funds_are

    async def on_ticks(self, ticks: Sequence[Tick]) -> None: ...

    async def on_range(self, bar: Bar) -> None: ...

    async def on_bar_closed(self, bar: Bar) -> None: ...

    async def on_time(self, now: datetime) -> None:
        if now == self.fails_at:
            raise CommitFailed("the journal is full")

    async def end_of_day(self, day: date) -> None:
        self.ended.append(day)


class Tape:
    """A feed of these moments."""

    name = "tape"

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._batches = list(batches)

    async def batches(self, since: datetime) -> AsyncIterator[Batch]:
        for batch in self._batches:
            yield batch


class World:
    def __init__(
        self,
        start: str,
        batches: Iterable[Batch],
        *,
        held: bool = False,
        ran: Mapping[Job, date] | None = None,
        speed: float | None = None,
    ) -> None:
        self.calendar = Calendar.load()
        self.clock = SteppedClock(at(start), speed)
        self.desk, self.exchange, self.store = Diary(), Hall(), MemoryLedger()
        aggregator = Aggregator(self.calendar)
        self.service = DeskService(
            self.desk,  # type: ignore[arg-type] # all it needs of a desk
            self.store,
            self.exchange,  # type: ignore[arg-type] # all it needs of a broker
            Tape(batches),  # type: ignore[arg-type] # all it needs of a feed
            self.clock,
            aggregator,
            lambda: None,
        )
        self.instruments = Instruments([STATE_BANK])
        jobs = DayJobs(
            self.service,
            self.store,
            self.exchange,  # type: ignore[arg-type] # all it needs of a broker
            self.instruments,
            self.clock,
            "as recorded",
            calendar=self.calendar,
        )
        self.schedule = Schedule(self.calendar, self.clock, jobs.run, ran or {})
        self.pump = Pump(
            self.service,
            Tape(batches),  # type: ignore[arg-type] # all it needs of a feed
            self.exchange,
            self.clock,
            aggregator,
            self.calendar,
            schedule=self.schedule,
            held=held,
        )

    async def play(self) -> list[str]:
        """To the end of the tape."""
        async with asyncio.timeout(PATIENCE):
            await self.pump.run()
        return self.desk.told()

    @asynccontextmanager
    async def playing(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.pump.run())
        try:
            async with asyncio.timeout(PATIENCE):
                yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def prices(text: str) -> TickBatch:
    return TickBatch(at(text), [Tick(SBIN, at(text), 800.0)])


MONDAY_TO_WEDNESDAY = [
    prices("2026-11-23T09:15"),
    prices("2026-11-23T15:29"),
    Silence(at("2026-11-23T15:40")),
    Silence(at("2026-11-25T09:15")),
    prices("2026-11-25T09:15"),
]


async def test_a_night_and_a_holiday_are_passed_over_from_job_to_job() -> None:
    world = World("2026-11-23T08:00", MONDAY_TO_WEDNESDAY)
    assert await world.play() == [
        "checklist 23 08:45",
        "prices 23 09:15",
        "prices 23 15:29",
        "digest 23 15:45",
        "checklist 25 08:45",
        "prices 25 09:15",
    ]
    assert world.exchange.ended == [date(2026, 11, 23)]


async def test_the_desk_hears_of_the_time_before_it_hears_of_the_job() -> None:
    world = World("2026-11-23T08:00", MONDAY_TO_WEDNESDAY)
    await world.play()
    for before, event in zip(world.desk.events, world.desk.events[1:], strict=False):
        if isinstance(event, JobDue):
            assert before == ClockTicked(event.at)
    times = [event.at for event in world.desk.events]
    assert times == sorted(times)


async def test_a_paced_market_does_not_wait_through_the_night_for_its_jobs() -> None:
    world = World("2026-11-23T15:40", MONDAY_TO_WEDNESDAY[2:], speed=1.0)
    assert await world.play() == ["digest 23 15:45", "checklist 25 08:45", "prices 25 09:15"]


async def test_a_held_market_runs_a_job_when_somebody_waits_past_its_time() -> None:
    ran = {Job.CHECKLIST: date(2026, 11, 23)}
    world = World("2026-11-23T15:29", MONDAY_TO_WEDNESDAY[1:], held=True, ran=ran)
    async with world.playing():
        assert await world.pump.run_until(at("2026-11-23T15:44")) == at("2026-11-23T15:44")
        assert world.desk.told() == ["prices 23 15:29"]
        assert await world.pump.run_until(at("2026-11-23T16:00")) == at("2026-11-23T16:00")
        assert world.desk.told()[1:] == ["digest 23 15:45"]
        assert await world.pump.run_until(at("2026-11-24T12:00")) == at("2026-11-24T12:00")
        assert len(world.desk.told()) == 2
        await world.pump.run_until(at("2026-11-25T09:15"))
        assert world.desk.told()[2:] == ["checklist 25 08:45", "prices 25 09:15"]


async def test_what_a_start_finds_overdue_is_caught_up_when_a_held_market_moves() -> None:
    world = World("2026-11-23T09:20", [prices("2026-11-23T09:20"), prices("2026-11-23T09:21")], held=True)
    async with world.playing():
        await world.pump.run_until(at("2026-11-23T09:20"))
        assert world.desk.told() == ["prices 23 09:20"]
        await world.pump.run_until(at("2026-11-23T09:21"))
        assert world.desk.told() == ["prices 23 09:20", "checklist 23 09:20", "prices 23 09:21"]


async def test_a_recorded_day_begins_with_its_checklist_and_ends_with_its_digest() -> None:
    start = at("2023-05-02T09:15")
    bar = Bar(SBIN, Interval.M1, start, 800.0, 801.0, 799.0, 800.5, 10)
    batches: list[Batch] = [
        BarBatch(start, start + timedelta(minutes=1), [bar]),
        Silence(at("2023-05-02T15:30")),
    ]
    world = World("2023-05-02T09:15", batches)
    told = await world.play()
    assert (told[0], told[-1]) == ("checklist 02 09:15", "digest 02 15:35")
    held = World("2023-05-02T09:15", batches, held=True)
    async with held.playing():
        await held.pump.run_until(at("2023-05-02T15:30"))
        assert not held.pump.ended
        assert held.desk.told()[-1].startswith("prices")
        await held.pump.run_until(at("2023-05-02T18:00"))
        assert held.desk.told()[-1] == "digest 02 15:35"
        assert held.pump.ended


async def test_a_recording_that_breaks_off_has_no_evening() -> None:
    world = World("2026-11-23T09:15", MONDAY_TO_WEDNESDAY[:1], ran={Job.CHECKLIST: date(2026, 11, 23)})
    assert await world.play() == ["prices 23 09:15"]
    assert world.clock.now() == at("2026-11-23T09:15")


@pytest.mark.parametrize("start", ["2026-11-24T10:00", "2026-11-22T10:00", "2026-11-28T01:00"])
async def test_nothing_is_due_on_a_closed_day_and_it_can_be_waited_through(start: str) -> None:
    calendar = Calendar.load()
    opens = calendar.next_open(at(start))
    batches = [Silence(opens), TickBatch(opens, [Tick(SBIN, opens, 800.0)])]
    world = World(start, batches, held=True)
    async with world.playing():
        evening = at(start).replace(hour=22)
        assert await world.pump.run_until(evening) == evening
        assert world.desk.events == []
        await world.pump.run_until(opens)
        assert world.desk.told() == [f"checklist {opens:%d} 08:45", f"prices {opens:%d} 09:15"]


async def test_a_day_closed_while_the_market_stands_before_its_checklist_has_none() -> None:
    world = World("2026-11-25T15:40", [Silence(at("2026-11-26T09:15"))], held=True)
    async with world.playing():
        await world.pump.run_until(at("2026-11-25T20:00"))
        world.calendar.close(date(2026, 11, 26), "a mourning")
        await world.pump.run_until(at("2026-11-26T23:00"))
    assert world.desk.told() == ["digest 25 15:45"]


async def test_an_exchange_that_fails_does_not_keep_a_job_from_running() -> None:
    world = World("2026-11-23T15:40", [Silence(at("2026-11-25T09:15"))])
    world.exchange.fails_at = at("2026-11-23T15:45")
    assert await world.play() == ["digest 23 15:45", "checklist 25 08:45"]


@pytest.mark.parametrize(
    ("start", "ran", "told"),
    [
        ("2026-11-23T15:41", {}, ["digest 23 15:45", "checklist 25 08:45"]),
        ("2026-11-23T15:45", {}, ["digest 23 15:45", "checklist 25 08:45"]),
        ("2026-11-23T17:00", {}, ["digest 23 17:00", "checklist 25 08:45"]),
        ("2026-11-23T17:00", {Job.DIGEST: date(2026, 11, 23)}, ["checklist 25 08:45"]),
        ("2026-11-25T08:50", {Job.DIGEST: date(2026, 11, 23)}, ["checklist 25 08:50"]),
    ],
)
async def test_a_restart_finds_its_place_between_the_jobs(
    start: str, ran: dict[Job, date], told: list[str]
) -> None:
    assert await World(start, [Silence(at("2026-11-25T09:15"))], ran=ran).play() == told


# -- what the shell adds ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("funds", "expected"),
    [
        (Funds(Decimal(100_000), Decimal(100_000)), (True, "₹1,00,000 free")),
        (Funds(Decimal(100_000), Decimal(80_000)), (True, "₹80,000 free of ₹1,00,000")),
        (Funds(Decimal(100_000), Decimal(0)), (False, "₹0 free of ₹1,00,000")),
        (BrokerUnavailable("no answer"), (False, "cannot be read: no answer")),
        (RuntimeError("secret"), (False, "cannot be read: RuntimeError")),
    ],
)
async def test_the_checklist_says_whether_there_is_money(
    funds: Funds | Exception, expected: tuple[bool, str]
) -> None:
    world = World("2026-11-23T08:45", [prices("2026-11-23T09:15")])
    world.exchange.funds_are = funds
    await world.play()
    (job,) = world.desk.jobs()
    lines = {line.label: (line.ok, line.detail) for line in job.lines}
    assert lines == {
        "Broker": (True, "paper account"),
        "Instruments": (True, "1, as recorded"),
        "Funds": expected,
    }


@pytest.mark.parametrize(("as_of", "ok"), [(date(2026, 11, 23), True), (date(2026, 11, 20), False)])
async def test_the_checklist_says_how_old_the_instruments_are(as_of: date, ok: bool) -> None:
    world = World("2026-11-23T08:45", [prices("2026-11-23T09:15")])
    world.instruments.as_of = as_of
    await world.play()
    (line,) = [line for line in world.desk.jobs()[0].lines if line.label == "Instruments"]
    assert line.ok is ok
    assert "Nov" in line.detail


@pytest.mark.parametrize(("day", "known"), [("2026-12-31", True), ("2027-01-26", False)])
async def test_the_checklist_of_a_year_without_holidays_says_that_they_are_not_known(
    day: str, known: bool
) -> None:
    world = World(f"{day}T08:45", [prices(f"{day}T09:15")])
    await world.play()
    found = [line for line in world.desk.jobs()[0].lines if line.label == "Calendar"]
    missing = CheckLine("Calendar", False, "the holidays of 2027 are not in it")
    assert found == ([] if known else [missing])


async def test_the_weekly_summary_brings_the_results_of_the_days_before() -> None:
    before, monday = date(2026, 11, 20), date(2026, 11, 23)
    world = World("2026-11-27T15:40", [Silence(at("2026-11-30T09:15"))])
    results = [DayResult(day, "x", Decimal(day.day)) for day in (before, monday, date(2026, 11, 27))]  # type: ignore[arg-type] # any name will do
    await world.store.commit(results)
    await world.play()
    digest, weekly, checklist = world.desk.jobs()
    assert (digest.job, weekly.job, checklist.job) == (Job.DIGEST, Job.WEEKLY, Job.CHECKLIST)
    assert weekly.week == [results[1]]
    assert digest.week == ()
