"""Strategies at work: their bars, their signals, and what the desk makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import TypeVar

from trader.desk.costs import margin
from trader.desk.effects import LoadHistory, Watch
from trader.desk.exits import Exits
from trader.desk.exposure import equity, exposure, margin_used
from trader.desk.limits import RISK_PER_TRADE_CEILING_PCT
from trader.desk.mending import Mending
from trader.desk.portfolio import Slot
from trader.desk.sending import Sending
from trader.desk.state import DeskState, Turn
from trader.domain.errors import InvalidInput, StrategyFault
from trader.domain.instrument import Instrument, InstrumentKey, symbol_of
from trader.domain.market import Bar, Interval, Tick
from trader.domain.money import decimal_of
from trader.domain.order import Denied, OrderRequest, OrderType, Owner, Purpose, Side
from trader.domain.records import InstanceStatus, Priority, StrategyInstance
from trader.domain.values import quick
from trader.strategy import Holding, Signal, Strategy, rules
from trader.strategy.bars import IntArray
from trader.strategy.joint import JointWindow
from trader.strategy.options import Configured, Options, parse_settings
from trader.strategy.signals import FloatArray
from trader.strategy.strategy import FLAT
from trader.strategy.window import BarWindow

_DISTANCE = Decimal("0.0001")
# Until Python 3.12 a member looked up in its class takes ten times as long as a global.
_BUY, _SELL, _ENTRY, _MARKET = Side.BUY, Side.SELL, Purpose.ENTRY, OrderType.MARKET
_request, _holding = quick(OrderRequest), quick(Holding)
_Made = TypeVar("_Made")


# When many candles close at once their entries are spread over the next seconds; older than this, a decision
# was made on another price.
DEFERRED_FOR = timedelta(seconds=10)
HISTORY_AGAIN = timedelta(seconds=30)  # after history that could not be had for a reason that passes
HISTORY_LOST = timedelta(minutes=5)  # an answer that never came


@dataclass(frozen=True, slots=True)
class _Reversal:
    """An entry that waits: for the opposite position to be closed, for one bar at most, or for a second in
    which the broker takes it."""

    side: Side
    until: datetime


@dataclass(slots=True)
class Running:
    """An instance with what it needs to be asked: rebuilt from its record and history after a restart."""

    instance: StrategyInstance
    kind: type[Strategy]
    strategies: dict[InstrumentKey, Strategy]  # one object for each instrument, or the same for all
    options: Options
    windows: dict[InstrumentKey, BarWindow] = field(default_factory=dict)
    joint: JointWindow | None = None  # in place of windows, for a strategy that decides on all at once
    awaiting: set[InstrumentKey] = field(default_factory=set)  # history not here yet
    early: dict[InstrumentKey, list[Bar]] = field(default_factory=dict)  # closed before the history came
    ask_again: dict[InstrumentKey, datetime] = field(default_factory=dict)  # for history that will come later
    reversals: dict[InstrumentKey, _Reversal] = field(default_factory=dict)
    deferred: dict[InstrumentKey, _Reversal] = field(
        default_factory=dict
    )  # entries the second had no room for

    @property
    def name(self) -> Owner:
        return self.instance.name

    @property
    def decides_on_bars(self) -> bool:
        return self.kind.decides_on_bars()

    @property
    def warmup(self) -> int:
        return max(s.bars_needed(self.instance.interval) for s in self.strategies.values())

    @property
    def history(self) -> int:
        """Bars to ask for of each instrument. Of those decided on together only bars that all have count."""
        return self.warmup * 2 if self.kind.together else self.warmup

    def slot(self, key: InstrumentKey) -> Slot:
        return Slot(self.instance.name, key, self.options.product)


def configure(
    kind: type[Strategy], settings: Mapping[str, str], defaults: Mapping[str, str] | None = None
) -> Configured:
    """Typed settings as values. InvalidInput for whatever is wrong with them, and for whatever the author's
    own code raises: it runs here for the first time, and nobody else is affected."""
    return _guarded(kind, lambda: parse_settings(kind, settings, defaults))


def made(kind: type[Strategy], instance: StrategyInstance, configured: Configured) -> Running:
    """The objects of an instance; InvalidInput when the author's code raises, or for too few or too many
    symbols where it decides on several at once."""
    if kind.together not in (0, len(instance.symbols)):
        raise InvalidInput(f"{kind.name} needs {kind.together} symbols, was given {len(instance.symbols)}")

    def make() -> Running:
        if kind.together:
            strategies = dict.fromkeys(instance.symbols, configured.strategy.fresh())
        else:
            strategies = {key: configured.strategy.fresh() for key in instance.symbols}
        running = Running(instance, kind, strategies, configured.options)
        BarWindow(instance.symbols[0], instance.interval, running.warmup)  # raises where begin would
        return running

    return _guarded(kind, make)


def _guarded(kind: type[Strategy], make: Callable[[], _Made]) -> _Made:
    try:
        return make()
    except InvalidInput:
        raise
    except Exception as e:
        raise InvalidInput(f"{kind.name} cannot be started: {type(e).__name__}: {e}") from e


class Runner:
    """Asks strategies and acts on their answers. A strategy that raises is stopped alone."""

    def __init__(self, state: DeskState, sending: Sending, exits: Exits) -> None:
        self._state = state
        self._sending = sending
        self._exits = exits
        self._by_bar: dict[tuple[InstrumentKey, Interval], list[Running]] = {}
        self._on_tick: dict[InstrumentKey, list[Running]] = {}
        self.mending = Mending(state, self._decide)

    # -- life ------------------------------------------------------------------------------------

    def begin(self, turn: Turn, running: Running) -> None:
        """Start asking: watch its bars and fetch the history its indicators need."""
        self._state.instances[running.name] = running
        instance = running.instance
        capacity = running.warmup
        if running.kind.together:
            running.joint = JointWindow(instance.symbols, instance.interval, capacity)
        for key in instance.symbols:
            if running.joint is None:
                running.windows[key] = BarWindow(key, instance.interval, capacity)
            running.awaiting.add(key)
            turn.send(Watch(key, instance.interval))
            turn.send(LoadHistory(running.name, key, instance.interval, running.history))
        self._index()

    def status(self, turn: Turn, running: Running, status: InstanceStatus, message: str = "") -> None:
        running.instance = replace(running.instance, status=status, updated_at=turn.at, message=message)
        turn.write(running.instance)
        if not status.alive and status is not InstanceStatus.STOPPING:
            running.windows.clear()
        self._index()

    def _index(self) -> None:
        self._by_bar, self._on_tick = {}, {}
        for name in sorted(self._state.instances):
            running = self._state.instances[name]
            if not running.instance.status.alive:
                continue
            for key in running.instance.symbols:
                self._by_bar.setdefault((key, running.instance.interval), []).append(running)
                if running.kind.decides_on_ticks():
                    self._on_tick.setdefault(key, []).append(running)

    # -- passing over candles --------------------------------------------------------------------

    def asking(self) -> Iterator[tuple[Running, InstrumentKey]]:
        """Who decides on whose bars."""
        for (key, _), many in self._by_bar.items():
            for running in many:
                yield running, key

    def settled(self) -> bool:
        """No history is awaited and no entry is put off."""
        return (
            not self._on_tick
            and not self.mending.active
            and not any(
                running.awaiting or running.deferred or running.joint is not None
                for running in self._state.instances.values()
            )
        )

    def passed_over(self, key: InstrumentKey, interval: Interval, start: IntArray, table: FloatArray) -> None:
        """Bars that nobody decides on (see still.py), oldest first: they only belong to what was."""
        for running in self._by_bar.get((key, interval), ()):
            running.windows[key].extend(start, table)

    # -- history ---------------------------------------------------------------------------------

    def history(self, turn: Turn, owner: Owner, key: InstrumentKey, bars: Sequence[Bar]) -> None:
        running = self._state.instances.get(owner)
        if running is None or key not in running.awaiting:
            return
        if self.mending.mends(owner, key):
            self.mending.history(turn, running, key, bars)
            self._warm(turn, running)
            return
        running.awaiting.discard(key)
        if running.joint is not None:
            running.early[key] = [*bars, *running.early.pop(key, ())]
            if not running.awaiting:
                known = sorted((b for kept in running.early.values() for b in kept), key=lambda b: b.start)
                for bar in known:
                    running.joint.append(bar)
                running.early.clear()
        else:
            window = running.windows[key]
            for bar in [*bars, *running.early.pop(key, ())]:
                window.append(bar)
        self._warm(turn, running)

    def _warm(self, turn: Turn, running: Running) -> None:
        if not running.awaiting and running.instance.status is InstanceStatus.WARMING:
            self.status(turn, running, InstanceStatus.RUNNING)

    def history_failed(
        self, turn: Turn, owner: Owner, key: InstrumentKey, reason: str, *, passing: bool = False
    ) -> None:
        """A strategy waits for what is only late: a restart before the day's login must not end it, nor close
        what it holds."""
        running = self._state.instances.get(owner)
        if running is None or not running.instance.status.alive:
            return
        if not passing and not self.mending.mends(owner, key):
            self._fail(turn, running, f"no history of {symbol_of(key)}: {reason}")
            return
        if not running.ask_again:
            turn.alert(
                f"waits:{owner}:{turn.at:%Y%m%d%H%M%S}",
                Priority.STRATEGY,
                "strategy",
                f"{owner} waits for its history",
                f"{reason}\nIt is asked for again; until then it decides nothing. Its stops stay.",
            )
        running.ask_again[key] = turn.at + HISTORY_AGAIN

    def _ask_again(self, turn: Turn, running: Running) -> None:
        instance = running.instance
        for key, at in list(running.ask_again.items()):
            if key not in running.awaiting or not instance.status.alive:
                del running.ask_again[key]
            elif turn.at >= at:
                running.ask_again[key] = turn.at + HISTORY_LOST
                turn.send(LoadHistory(instance.name, key, instance.interval, running.history))

    # -- the market moved ------------------------------------------------------------------------

    def on_bar(self, turn: Turn, bar: Bar) -> None:
        for running in self._by_bar.get((bar.key, bar.interval), ()):
            if self.mending.active and self.mending.takes(turn, running, bar):
                continue
            if bar.key in running.awaiting or (running.joint is not None and running.awaiting):
                running.early.setdefault(bar.key, []).append(bar)
                continue
            if running.joint is not None:
                if running.joint.append(bar) and not self._state.halted:
                    self._decide_jointly(turn, running, running.joint, bar.end + bar.interval.length)
                continue
            window = running.windows[bar.key]
            if not window.append(bar):
                continue  # known from history already
            if not self._state.halted:
                self._decide(turn, running, bar.key, bar)

    def _decide(self, turn: Turn, running: Running, key: InstrumentKey, bar: Bar) -> None:
        """``bar`` is the newest in the window."""
        until = bar.end + bar.interval.length
        if running.joint is not None:
            self._decide_jointly(turn, running, running.joint, until)
            return
        try:
            signal = running.strategies[key].evaluate(running.windows[key].bars).last()
        except StrategyFault as e:
            self._fail(turn, running, str(e))
        else:
            self._act(turn, running, key, signal, until)

    def _decide_jointly(self, turn: Turn, running: Running, joint: JointWindow, until: datetime) -> None:
        """All instruments have their bar of one start: ask once, act for each in the order of its symbols."""
        strategy = running.strategies[running.instance.symbols[0]]
        try:
            answers = strategy.evaluate_joint(joint.bars)
        except StrategyFault as e:
            self._fail(turn, running, str(e))
            return
        for key, signals in zip(running.instance.symbols, answers, strict=True):
            self._act(turn, running, key, signals.last(), until)

    def on_ticks(self, turn: Turn, ticks: Sequence[Tick]) -> None:
        if not self._on_tick or self._state.halted:
            return
        for tick in ticks:
            for running in self._on_tick.get(tick.key, ()):
                if tick.key in running.awaiting or not self._state.trades_now(tick.key, turn.at):
                    continue
                position = self._state.portfolio.position(running.slot(tick.key))
                held = position.quantity
                holding = _holding(held, float(position.average_price)) if held else FLAT
                try:
                    signal = running.strategies[tick.key].evaluate_tick(tick, holding)
                except StrategyFault as e:
                    self._fail(turn, running, str(e))
                else:
                    self._act(turn, running, tick.key, signal, turn.at + running.instance.interval.length)

    def _fail(self, turn: Turn, running: Running, why: str) -> None:
        """Stop this strategy alone and treat its positions as it declared."""
        close = running.kind.on_error == "close"
        self.status(turn, running, InstanceStatus.FAILED, why)
        fate = "Its positions are being closed." if close else "Its positions stay, with their stops."
        turn.alert(
            f"failed:{running.name}:{turn.at:%Y%m%d%H%M%S%f}",
            Priority.CRITICAL,
            "strategy",
            f"{running.name} failed and was stopped",
            f"{why}\n{fate}",
        )
        self.withdraw(turn, running.name, close=close)

    def withdraw(self, turn: Turn, owner: Owner, *, close: bool) -> None:
        """Take a strategy's entries out of the market, and its positions if ``close``."""
        for order in list(self._state.working.values()):
            if order.owner == owner and order.purpose is Purpose.ENTRY:
                self._sending.withdraw(turn, order, f"{owner} was stopped", Purpose.EXIT if close else None)
        if close:
            slots = [s for s in self._state.portfolio.open_slots() if s.owner == owner]
            self._exits.leave_all(turn, slots, Purpose.EXIT)

    # -- signals ---------------------------------------------------------------------------------

    def _act(self, turn: Turn, running: Running, key: InstrumentKey, signal: Signal, until: datetime) -> None:
        """Go where the signal wants to be; from one side to the other by way of flat."""
        if not signal.any:
            return
        running.deferred.pop(key, None)
        slot = running.slot(key)
        held = self._state.portfolio.position(slot).quantity
        wanted = rules.wanted_side(
            held,
            signal.enter_long,
            signal.exit_long,
            signal.enter_short,
            signal.exit_short,
            running.options.longs,
            running.options.shorts,
        )
        # While a position is held wanted_side answers with the signed quantity when nothing changes.
        if wanted * held > 0:
            return
        if held:
            self._exits.leave(turn, slot, Purpose.EXIT)
            if wanted:
                running.reversals[key] = _Reversal(_side(wanted), until)
            return
        working = self._state.working_in(slot)
        entering = [o for o in working if o.purpose is _ENTRY] if working else working
        for order in entering:  # on its way in, but not wanted any more
            if wanted == -order.side.sign or (
                signal.exit_long if order.side is Side.BUY else signal.exit_short
            ):
                self._sending.withdraw(turn, order, "the signal has changed", Purpose.EXIT)
        if wanted and not entering:
            self._enter(turn, running, key, _side(wanted))

    def on_flat(self, turn: Turn, slot: Slot) -> None:
        """A position is closed: an entry may have waited for this; a stopping strategy may be done."""
        running = self._state.instances.get(slot.owner)
        if running is None:
            return
        if running.instance.status is InstanceStatus.STOPPING:
            if not self._state.portfolio.open_positions(slot.owner):
                self.status(turn, running, InstanceStatus.STOPPED, "closed and stopped")
            return
        reversal = running.reversals.pop(slot.key, None)
        if reversal is None or turn.at > reversal.until or self._state.halted:
            return
        if running.instance.status is InstanceStatus.RUNNING:
            self._enter(turn, running, slot.key, reversal.side)

    def _enter(self, turn: Turn, running: Running, key: InstrumentKey, side: Side) -> None:
        state = self._state
        quote = state.quotes.get(key)
        instrument = state.instrument(key)
        last = quote.last if quote is not None else 0.0
        distance = abs(last - rules.stop_price(last, side.sign, running.options.stop))
        quantity = 0
        if instrument is not None and last > 0:
            if decimal_of(distance) < instrument.tick_size:  # no stop is nearer than a tick
                distance = float(instrument.tick_size)
            day = state.trading_day(turn.at)
            quantity = self.size(day, running.options, instrument, side, last, distance)
            if not quantity:
                quantity = instrument.lot_size  # the gate says what one lot is too much for
            elif instrument.freeze_quantity is not None and not running.options.quantity:
                quantity = min(
                    quantity, instrument.freeze_quantity // instrument.lot_size * instrument.lot_size
                )
        outcome = self._sending.submit(
            turn,
            _request(
                tag=state.next_tag(turn.at),
                owner=running.name,
                key=key,
                side=side,
                quantity=quantity,
                order_type=_MARKET,
                product=running.options.product,
                purpose=_ENTRY,
                at=turn.at,
                reference_price=decimal_of(last) if last > 0 else None,
                # Rounded down: up, a size that just fits would be denied for a fraction of a paisa.
                stop_distance=decimal_of(distance).quantize(_DISTANCE, ROUND_FLOOR) if distance else None,
                note=f"{running.instance.strategy} signal",
            ),
        )
        if isinstance(outcome, Denied) and outcome.code == "rate_second":
            running.deferred.setdefault(key, _Reversal(side, turn.at + DEFERRED_FOR))

    def on_clock(self, turn: Turn) -> None:
        """Try again the entries that a busy second had no room for, while they are young, and what history
        is still missing."""
        for name in sorted(self._state.instances):
            running = self._state.instances[name]
            self._ask_again(turn, running)
            for key, entry in list(running.deferred.items()):
                slot = running.slot(key)
                held = self._state.portfolio.position(slot).quantity
                alive = running.instance.status is InstanceStatus.RUNNING and not self._state.halted
                if turn.at > entry.until or not alive or held or self._state.working_in(slot):
                    del running.deferred[key]
                    continue
                del running.deferred[key]
                self._enter(turn, running, key, entry.side)
                if key in running.deferred:  # still no room; its time goes on
                    running.deferred[key] = entry

    def size(
        self,
        day: date,
        options: Options,
        instrument: Instrument,
        side: Side,
        price: float,
        stop_distance: float,
    ) -> int:
        """Units, whole lots: what the risk per trade allows and every limit of value leaves room for."""
        state = self._state
        limits = state.limits
        if options.quantity:
            return int(options.quantity)
        lot_size = instrument.lot_size
        lot_value = decimal_of(price) * lot_size
        blocked = margin(state, instrument, options.product, side, lot_size, decimal_of(price), day)
        free = (equity(state) - margin_used(state, day)) * (lot_value / blocked if blocked > 0 else 1)
        room = min(
            limits.max_order_value,
            limits.max_position_value,
            limits.max_exposure - exposure(state),
            free,
        )
        percent = min(Decimal(str(options.risk)), limits.risk_per_trade_pct, RISK_PER_TRADE_CEILING_PCT)
        return rules.position_size(
            float(limits.capital), float(percent), stop_distance, price, lot_size, max(float(room), 0.0)
        )


def _side(sign: int) -> Side:
    return _BUY if sign > 0 else _SELL
