"""What the schedule starts: each job becomes an event for the desk, with what only the shell can know."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, timedelta

from trader.broker.port import Broker
from trader.desk.events import CheckLine, Job, JobDue
from trader.domain.errors import InstrumentsStale, MunimError
from trader.domain.money import rupees
from trader.domain.position import DayResult
from trader.domain.times import date_short
from trader.market.calendar import Calendar
from trader.market.instruments import Instruments
from trader.ports.clock import Clock
from trader.ports.store import Store
from trader.service.daylist import DayList
from trader.service.desk_service import DeskService
from trader.service.port import AccountPort

log = logging.getLogger(__name__)


class DayJobs:
    """``made`` says where instruments without a date of their own are from: ``as recorded``.
    ``daylist`` knows of which day they are in a market that makes its own."""

    def __init__(
        self,
        service: DeskService,
        store: Store,
        broker: Broker,
        instruments: Instruments,
        clock: Clock,
        made: str,
        account: AccountPort | None = None,
        *,
        calendar: Calendar | None = None,
        daylist: DayList | None = None,
    ) -> None:
        self._service = service
        self._store = store
        self._broker = broker
        self._instruments = instruments
        self._clock = clock
        self._made = made
        self._account = account
        self._calendar = calendar
        self._daylist = daylist

    async def run(self, job: Job, day: date) -> None:
        """Put the job into the desk's queue; the desk writes down that it ran."""
        lines = await self._checks(day) if job is Job.CHECKLIST else ()
        week = await self._week(day) if job is Job.WEEKLY else ()
        self._service.put(JobDue(self._clock.now(), job, day, lines, week))

    async def _checks(self, day: date) -> Sequence[CheckLine]:
        if self._account is not None:
            return (*await self._account.preflight(), await self._funds(), *self._year(day))
        broker = CheckLine("Broker", True, f"{self._broker.name} account")
        return (broker, self._fresh(day), await self._funds(), *self._year(day))

    def _year(self, day: date) -> Sequence[CheckLine]:
        """Nothing of a year that the calendar has: in another one every weekday passes for a trading day."""
        if self._calendar is None or self._calendar.covers(day.year):
            return ()
        return (CheckLine("Calendar", False, f"the holidays of {day.year} are not in it"),)

    def _fresh(self, day: date) -> CheckLine:
        if self._daylist is not None:
            return self._daylist.check(day)
        count, as_of = len(self._instruments), self._instruments.as_of
        if as_of is None:
            return CheckLine("Instruments", count > 0, f"{count}, {self._made}")
        try:
            self._instruments.require_fresh(day)
        except InstrumentsStale as stale:
            return CheckLine("Instruments", False, str(stale))
        return CheckLine("Instruments", True, f"{count} of {date_short(as_of)}")

    async def _funds(self) -> CheckLine:
        try:
            funds = await self._broker.funds()
        except MunimError as error:
            return CheckLine("Funds", False, f"cannot be read: {error}")
        except Exception as error:
            log.exception("reading the funds failed")
            return CheckLine("Funds", False, f"cannot be read: {type(error).__name__}")
        text = f"{rupees(funds.available, paise=False)} free"
        if funds.available != funds.cash:
            text += f" of {rupees(funds.cash, paise=False)}"
        return CheckLine("Funds", funds.available > 0, text)

    async def _week(self, day: date) -> Sequence[DayResult]:
        """The ISO week's results before ``day``, oldest first."""
        monday = day - timedelta(days=day.weekday())
        days = [monday + timedelta(days=n) for n in range(day.weekday())]
        return [result for one in days for result in await self._store.day_results(one)]
