"""The day as the owner reads it: ready before the opening, closed behind it, and the week.

Each is one alert a day, of a topic of its own, for what waits together under one topic is told by its titles
alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from trader.desk.costs import executed_on
from trader.desk.dayplan import day_plan
from trader.desk.daytext import fold, loss_word, net_text
from trader.desk.events import CheckLine, Job, JobDue
from trader.desk.exposure import day_pnl, last_day
from trader.desk.guard import DAILY
from trader.desk.portfolio import Slot, slot_of
from trader.desk.restoring import RAN
from trader.desk.state import DeskState, Turn
from trader.domain.counting import counted
from trader.domain.instrument import symbol_of
from trader.domain.money import ZERO, rupees
from trader.domain.order import EXTERNAL, HOUSE, OrderState, Owner, Product
from trader.domain.position import DayResult, Position
from trader.domain.records import DeskMode, InstanceStatus, Priority, Setting
from trader.domain.times import date_short, day_short, day_text
from trader.market.note import Breakdown, ContractNote

_BIGGEST = 3  # lines of charges


class Daybook:
    def __init__(self, state: DeskState) -> None:
        self._state = state

    def on_job(self, turn: Turn, event: JobDue) -> None:
        """Once a day for each job; that it ran is recorded with what it wrote."""
        state, day = self._state, event.day.isoformat()
        if state.ran.get(event.job) == day or not state.calendar.is_trading_day(event.day):
            return
        match event.job:
            case Job.CHECKLIST:
                self._checklist(turn, event)
            case Job.DIGEST:
                self._digest(turn, event.day)
            case Job.WEEKLY:
                self._weekly(turn, event)
        state.ran[event.job] = day
        turn.write(Setting(f"{RAN}{event.job}", day))

    def _tell(
        self, turn: Turn, job: Job, day: date, priority: Priority, title: str, lines: Iterable[str]
    ) -> None:
        body = "\n".join(piece for line in lines for piece in fold(line))
        turn.alert(f"day:{job}:{day}", priority, str(job), title, body)

    # -- before the opening ----------------------------------------------------------------------

    def _checklist(self, turn: Turn, event: JobDue) -> None:
        checks = [*event.lines, *self._desk(), *self._carried(event.day), self._limits(), self._strategies()]
        wrong = sum(not check.ok for check in checks)
        day = event.day
        title = f"{day_short(day)} NOT READY: {wrong} to look at" if wrong else f"{day_text(day)}: ready"
        priority = Priority.FILL if wrong else Priority.STRATEGY
        lines = [f"{'✓' if check.ok else '✗'} {check.label}: {check.detail}" for check in checks]
        self._tell(turn, Job.CHECKLIST, day, priority, title, [*lines, *day_plan(self._state.calendar, day)])

    def _desk(self) -> Sequence[CheckLine]:
        latch, reconciled = self._state.latch, self._state.reconciled and not self._state.unread
        active = latch.mode is DeskMode.ACTIVE
        ends = "It ends with the day" if latch.code in DAILY else "/resume ends it"
        mode = str(latch.mode) if active else f"{latch.mode}, {latch.reason.rstrip('.')}. {ends}"
        book = "read, in order" if reconciled else "not read yet: no entries"
        unknown = [o for o in self._state.working.values() if o.state is OrderState.UNKNOWN]
        if unknown:
            book = f"{counted(len(unknown), 'order')} of unknown outcome"
        return (
            CheckLine("Desk", active, mode),
            CheckLine("Broker's book", reconciled and not unknown, book),
        )

    def _carried(self, day: date) -> Sequence[CheckLine]:
        positions = self._state.portfolio.at_stake()
        if not positions:
            return (CheckLine("Carried over", True, "nothing"),)
        return [self._carried_one(positions[slot], day) for slot in sorted(positions)]

    def _carried_one(self, position: Position, day: date) -> CheckLine:
        """A position of ours has to have a stop; one from elsewhere is its owner's to watch."""
        held = f"{position.quantity:+d} {position.product}"
        if self._state.instrument(position.key) is None:
            return CheckLine(symbol_of(position.key), False, f"{held} is not listed any more")
        opened = position.opened_at
        before = opened is not None and self._state.trading_day(opened) < day
        if position.product is Product.MIS and before:
            return CheckLine(symbol_of(position.key), False, f"{held} is intraday and still here")
        last = last_day(self._state, position.key)
        expires = last is not None and last <= day
        plan = self._state.plans.get(slot_of(position))
        if position.owner == EXTERNAL:
            detail, ok = f"{held} not ours", not expires
        elif plan is None or plan.stop is None:
            detail, ok = f"{held} has no stop", False
        else:
            detail, ok = f"{held} stop {rupees(plan.stop)}", True
        return CheckLine(symbol_of(position.key), ok, f"{detail}, expires today" if expires else detail)

    def _limits(self) -> CheckLine:
        limits, counters = self._state.limits, self._state.counters
        loss = limits.daily_loss + min(day_pnl(self._state), ZERO)
        trades = limits.max_trades_per_day - counters.entries
        places = limits.max_open_positions - len(self._state.portfolio.at_stake())
        left = (
            f"{rupees(max(loss, ZERO), paise=False)} of loss, {counted(max(trades, 0), 'trade')},"
            f" {counted(max(places, 0), 'position')}"
        )
        return CheckLine("Left today", loss > 0 and trades > 0, left)

    def _strategies(self) -> CheckLine:
        """Those that failed since the last trading day began want a look; older failures were told."""
        counted = {InstanceStatus.RUNNING: 0, InstanceStatus.PAUSED: 0}
        since = self._state.calendar.previous_trading_day(self._state.counters.day)
        failed = []
        for name, running in sorted(self._state.instances.items()):
            instance = running.instance
            if instance.status.alive:
                paused = instance.status is InstanceStatus.PAUSED
                counted[InstanceStatus.PAUSED if paused else InstanceStatus.RUNNING] += 1
            elif instance.status is InstanceStatus.FAILED and instance.updated_at.date() >= since:
                failed.append(name)
        words = [f"{n} {status.lower()}" for status, n in counted.items() if n]
        words += [f"{name} failed" for name in failed]
        return CheckLine("Strategies", not failed, ", ".join(words) or "none running")

    # -- behind the close ------------------------------------------------------------------------

    def _digest(self, turn: Turn, day: date) -> None:
        note = self._state.charges.day(executed_on(self._state, day), day)
        rounding = self._book_rounding(turn, day, note)
        results = self._results(day)
        title = f"Day closed: net {net_text(_net(results))}"
        self._tell(
            turn,
            Job.DIGEST,
            day,
            Priority.FILL,
            title,
            [
                *self._money(results, note, rounding),
                *_by_strategy(results),
                self._counts(results, day),
                *self._open(),
                *self._mode(),
            ],
        )

    def _book_rounding(self, turn: Turn, day: date, note: ContractNote) -> Decimal:
        """Rupees by which the note, which rounds the day's sums, differs from what was booked execution by
        execution. No trade made them, so the house bears them."""
        state = self._state
        booked = sum((result.charges for result in self._results(day)), ZERO)
        rounding = note.rounding(booked)
        if rounding:
            turn.write(state.portfolio.charge(HOUSE, day, rounding))
            state.counters = replace(
                state.counters,
                booked=state.counters.booked - rounding,
                booked_today=state.counters.booked_today - rounding,
            )
            turn.write(state.counters)
        return rounding

    def _results(self, day: date) -> list[DayResult]:
        return [result for result in self._state.portfolio.day_results() if result.day == day]

    def _money(self, results: Sequence[DayResult], note: ContractNote, rounding: Decimal) -> list[str]:
        if not results:
            return []
        realised = sum((result.realised for result in results), ZERO)
        charges = sum((result.charges for result in results), ZERO)
        slippage = sum((result.slippage for result in results), ZERO)
        lines = [f"Realised {net_text(realised)}", f"Charges {rupees(charges)}{_biggest(note.breakdown)}"]
        if rounding:
            within = abs(rounding) <= note.rounding_bound
            what = "Contract note rounding" if within else "Contract note differs by"
            lines.append(f"{what} {rupees(rounding, signed=True)}")
        return [*lines, f"Slippage {loss_word(slippage)}"]

    def _counts(self, results: Sequence[DayResult], day: date) -> str:
        """What the broker filled and what was turned down on the way."""
        today = [o for o in self._state.orders.values() if self._state.trading_day(o.request.at) == day]
        states = [order.state for order in today]
        fills = sum(result.fills for result in results)
        denied, rejected = states.count(OrderState.DENIED), states.count(OrderState.REJECTED)
        return f"{counted(fills, 'fill')}, {denied} denied, {rejected} rejected"

    def _open(self) -> list[str]:
        positions = self._state.portfolio.open_positions()
        if not positions:
            return ["Flat."]
        unrealised = self._state.portfolio.unrealised(self._state.quotes)
        lines = [f"{counted(len(positions), 'position')} open, unrealised {net_text(unrealised)}"]
        for position in positions:
            slot: Slot = slot_of(position)
            gain = position.unrealised(self._state.portfolio.mark(slot, position, self._state.quotes))
            lines.append(f"{symbol_of(slot.key)} {position.quantity:+d} {slot.product} {net_text(gain)}")
        return lines

    def _mode(self) -> list[str]:
        latch = self._state.latch
        return [] if latch.mode is DeskMode.ACTIVE else [f"{latch.mode}: {latch.reason}"]

    # -- the week --------------------------------------------------------------------------------

    def _weekly(self, turn: Turn, event: JobDue) -> None:
        results = [*event.week, *self._results(event.day)]
        total = _net(results)
        charges = sum((result.charges for result in results), ZERO)
        title = f"Week to {date_short(event.day)}: net {net_text(total)}"
        lines = [*self._days(results, event.day), f"Charges {rupees(charges)}", *_by_strategy(results)]
        self._tell(turn, Job.WEEKLY, event.day, Priority.STRATEGY, title, lines)

    def _days(self, results: Sequence[DayResult], last: date) -> list[str]:
        """One line for each day of the week so far that traded, whether the desk did or not."""
        lines = []
        for number in range(last.weekday() + 1):
            day = last - timedelta(days=last.weekday() - number)
            if self._state.calendar.is_trading_day(day):
                of_day = [result for result in results if result.day == day]
                net = net_text(_net(of_day)) if of_day else "no trades"
                lines.append(f"{day_short(day)} {net}")
        return lines


def _net(results: Iterable[DayResult]) -> Decimal:
    return sum((result.net for result in results), ZERO)


def _biggest(breakdown: Breakdown) -> str:
    lines = sorted(breakdown.lines(), key=lambda line: -line[1])[:_BIGGEST]
    return ": " + ", ".join(f"{label} {rupees(amount)}" for label, amount in lines) if lines else ""


def _by_strategy(results: Iterable[DayResult]) -> list[str]:
    """``ema_crossover +₹900.00`` and ``8 trades, 5 won, 3 lost``, for everybody who traded."""
    owners: dict[Owner, list[DayResult]] = {}
    for result in results:
        if result.owner != HOUSE and (result.fills or result.charges or result.realised):
            owners.setdefault(result.owner, []).append(result)
    if not owners:
        return ["No trades."]
    lines = []
    for owner, own in sorted(owners.items()):
        trades, wins = sum(r.trades for r in own), sum(r.wins for r in own)
        lines.append(f"{owner} {net_text(_net(own))}")
        lines.append(f"  {counted(trades, 'trade')}, {wins} won, {trades - wins} lost")
    return lines
