"""The owner's commands: parsed, answered, done. Bad input is a sentence and changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trader.desk.books import Books
from trader.desk.closures import Closures
from trader.desk.commands import (
    Arm,
    CloseDay,
    Command,
    Disarm,
    Judge,
    Kill,
    NotThere,
    Pause,
    Reconcile,
    ReopenDay,
    Resume,
    StartStrategy,
    StopStrategy,
)
from trader.desk.effects import Answer
from trader.desk.events import CommandGiven
from trader.desk.guard import DAILY, Guard
from trader.desk.instances import Instances
from trader.desk.judging import Judging
from trader.desk.kill import Kill as KillRun
from trader.desk.locks import MANUAL
from trader.desk.running import Running, configure, made
from trader.desk.state import DeskState, Turn
from trader.domain.counting import counted
from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.instrument import InstrumentKey, Segment, symbols_text
from trader.domain.market import Interval
from trader.domain.money import rupees
from trader.domain.order import EXTERNAL, HOUSE, Owner, Product, Side
from trader.domain.records import CommandDone, DeskMode, InstanceStatus, Priority, StrategyInstance
from trader.domain.times import clock_text
from trader.market import shaping
from trader.strategy.options import Options

MOST_SYMBOLS = 50
DEFAULT_INTERVAL = Interval.M5


class OwnerDesk:
    def __init__(
        self,
        state: DeskState,
        instances: Instances,
        guard: Guard,
        kill: KillRun,
        books: Books,
        judging: Judging,
    ) -> None:
        self._state = state
        self._books = books
        self._judging = judging
        self._instances = instances
        self._guard = guard
        self._kill = kill
        self._closures = Closures(state)

    def handle(self, turn: Turn, event: CommandGiven) -> None:
        """Act once for each source id. That it was acted on is recorded in the same transaction."""
        if event.source_id in self._state.commands_done:
            turn.send(Answer(event.source_id, True, "Done already."))
            return
        try:
            text = self._do(turn, event, event.command)
        except InvalidInput as e:
            turn.send(Answer(event.source_id, False, str(e)))
            return
        self._state.commands_done.add(event.source_id)
        turn.write(CommandDone(event.source_id, turn.at))
        turn.send(Answer(event.source_id, True, text))

    def _do(self, turn: Turn, event: CommandGiven, command: Command) -> str:
        match command:
            case StartStrategy():
                return self._start(turn, command)
            case StopStrategy():
                return self._stop(turn, command)
            case Pause(name=None):
                return self._pause_desk(turn, event.actor)
            case Pause(name=str(name), by=by):
                return self._pause(turn, name, by)
            case Resume(name=None):
                return self._resume_desk(turn, event.actor)
            case Resume(name=str(name)):
                return self._resume(turn, name)
            case Kill(flatten=True):
                return self._kill.begin(turn, event.source_id, event.actor)
            case Arm():
                return self._arm(turn, event.actor)
            case Disarm():
                return self._disarm(turn)
            case Reconcile():
                return self._books.ask(turn, event.source_id)
            case Judge():
                return self._judging.judge(turn, command)
            case NotThere(tag=tag):
                return self._books.not_there(turn, tag)
            case CloseDay():
                return self._closures.close(turn, command)
            case ReopenDay():
                return self._closures.reopen(turn, command)
            case Kill():
                self._kill.halt(turn, event.actor)
                return f"HALTED at {clock_text(turn.at)}. No entries; positions and their stops stay."
            case _:
                raise InvalidInput(f"The desk does not know the command {command!r}")

    # -- strategies ------------------------------------------------------------------------------

    def _start(self, turn: Turn, command: StartStrategy) -> str:
        state = self._state
        kind = state.catalogue.get(command.strategy)
        interval = Interval.parse(command.interval) if command.interval else DEFAULT_INTERVAL
        keys = self._symbols(command.symbols)
        configured = configure(kind, command.settings, self._defaults())
        most = state.limits.risk_per_trade_pct
        if Decimal(str(configured.options.risk)) > most:
            raise InvalidInput(
                f"risk is {configured.options.risk:g}: RISK_PER_TRADE_PCT allows at most {most.normalize():f}"
            )
        self._check_product(keys, configured.options)
        self._check_quantity(keys, configured.options)
        instance = StrategyInstance(
            name=self._free_name(kind.name),
            strategy=kind.name,
            symbols=keys,
            interval=interval,
            settings=configured.settings,
            status=InstanceStatus.WARMING,
            started_at=turn.at,
            updated_at=turn.at,
        )
        running = made(kind, instance, configured)
        turn.write(instance)
        self._instances.begin(turn, running)
        options = configured.options
        risk = state.limits.capital * Decimal(str(options.risk)) / 100
        values = " ".join(f"{k}={v}" for k, v in configured.settings if k in kind.params())
        pace = f"{interval} bars" if kind.decides_on_bars() else "every tick"
        lines = [
            f"Started {instance.name} on {symbols_text(keys)}, {pace}.",
            f"{values}" if values else "",
            f"Each trade risks at most {rupees(risk)} ({options.risk:g} % of capital),"
            f" stop {options.stop:g} %"
            + (f", target {options.target:g} %" if options.target else "")
            + (f", trail {options.trail:g} %" if options.trail else "")
            + f", {options.product}.",
        ]
        lines += self._warnings(turn, instance, configured.options)
        if state.latch.mode is not DeskMode.ACTIVE:
            when = "today" if state.latch.code in DAILY else "before /resume"
            lines.append(f"The desk is {state.latch.mode}: it will not enter {when}.")
        return "\n".join(line for line in lines if line)

    def _check_product(self, keys: Iterable[InstrumentKey], options: Options) -> None:
        """A strategy whose every order would be refused is not worth starting."""
        for key in keys:
            instrument = self._state.instrument(key)
            side = Side.BUY if options.longs else Side.SELL
            if instrument is not None and (
                fault := shaping.product_fault(instrument, options.product, side, opening=True)
            ):
                raise InvalidInput(fault)

    def _check_quantity(self, keys: Iterable[InstrumentKey], options: Options) -> None:
        """A fixed quantity no order of which would be taken."""
        for key in keys if options.quantity else ():
            instrument = self._state.instrument(key)
            if instrument is None:
                continue
            lot, freeze = instrument.lot_size, instrument.freeze_quantity
            if options.quantity % lot:
                raise InvalidInput(
                    f"{instrument.symbol} trades in lots of {lot}: quantity is {options.quantity}"
                )
            if freeze is not None and options.quantity > freeze:
                raise InvalidInput(
                    f"quantity is {options.quantity}: the exchange takes at most {freeze // lot * lot} of"
                    f" {instrument.symbol} in an order, and an entry is one order, for its stop must be one"
                )

    def _warnings(self, turn: Turn, instance: StrategyInstance, options: Options) -> list[str]:
        """What the owner may not have thought of: when positions are left, and who trades there already."""
        state = self._state
        lines = []
        if options.product is Product.MIS:
            day = state.trading_day(turn.at)
            out = min(
                state.calendar.deadlines(day, state.venue(key)).squareoff_at for key in instance.symbols
            )
            lines.append(f"Intraday: positions are closed at {out:%H:%M}.")
        for name, running in sorted(state.instances.items()):
            same = set(running.instance.symbols) & set(instance.symbols)
            other = name != instance.name and running.kind.name == instance.strategy
            if other and running.instance.status.alive and same:
                shown = symbols_text(key for key in instance.symbols if key in same)
                lines.append(f"{name} trades {shown} too; this one is {instance.name}.")
        return lines

    def _defaults(self) -> dict[str, str]:
        return {"risk": f"{min(self._state.limits.risk_per_trade_pct, Decimal(2)).normalize():f}"}

    def _symbols(self, texts: Iterable[str]) -> tuple[InstrumentKey, ...]:
        found = [self._state.instruments.find(text) for text in texts if text.strip()]
        if not found:
            raise InvalidInput("Which symbols? For example: /start_strategy ema_crossover RELIANCE,TCS 5m")
        for instrument in found:
            if instrument.segment is Segment.INDEX:
                raise InvalidInput(f"{instrument.symbol} is an index; it cannot be traded.")
        keys = tuple(dict.fromkeys(instrument.key for instrument in found))
        if len(keys) > MOST_SYMBOLS:
            raise InvalidInput(f"Expected at most {MOST_SYMBOLS} symbols, were {len(keys)}.")
        return keys

    def _free_name(self, base: str) -> Owner:
        """The strategy's name, numbered while an instance of it is alive or still holds something."""
        number = 1
        while True:
            name = Owner(base if number == 1 else f"{base}_{number}")
            known = self._state.instances.get(name)
            if name in (EXTERNAL, HOUSE, MANUAL):
                number += 1  # positions under that name are not ours to trade
                continue
            busy = known is not None and (
                known.instance.status.alive or known.instance.status is InstanceStatus.STOPPING
            )
            if not busy and not self._state.portfolio.open_positions(name):
                return name
            number += 1

    def _find(self, name: str) -> Running:
        running = self._state.instances.get(Owner(name.strip().casefold()))
        if running is None:
            alive = [n for n, r in self._state.instances.items() if r.instance.status.alive]
            raise UnknownName("running strategy", name, alive)
        return running

    def _stop(self, turn: Turn, command: StopStrategy) -> str:
        running = self._find(command.name)
        held = len(self._state.portfolio.open_positions(running.name))
        if not running.instance.status.alive and not (command.close and held):
            raise InvalidInput(f"{running.name} is {running.instance.status.lower()} already.")
        if command.close and held:
            self._instances.status(turn, running, InstanceStatus.STOPPING)
            self._instances.withdraw(turn, running.name, close=True)
            return f"Stopping {running.name}: closing {counted(held, 'position')}."
        self._instances.status(turn, running, InstanceStatus.STOPPED, "stopped by the owner")
        self._instances.withdraw(turn, running.name, close=command.close)
        rest = f" {counted(held, 'position')} kept, with stops." if held else " It held no position."
        return f"Stopped {running.name}.{rest}"

    def _pause(self, turn: Turn, name: str, by: str) -> str:
        running = self._find(name)
        if not running.instance.status.alive:
            raise InvalidInput(f"{running.name} is {running.instance.status.lower()}.")
        self._instances.status(turn, running, InstanceStatus.PAUSED, f"paused by {by}")
        return f"{running.name} is paused: no entries, exits go on. /resume {running.name} ends it."

    def _resume(self, turn: Turn, name: str) -> str:
        running = self._find(name)
        if running.instance.status is not InstanceStatus.PAUSED:
            raise InvalidInput(f"{running.name} is {running.instance.status.lower()}, not paused.")
        waiting = InstanceStatus.WARMING if running.awaiting else InstanceStatus.RUNNING
        self._instances.status(turn, running, waiting)
        return f"{running.name} trades again."

    # -- the desk --------------------------------------------------------------------------------

    def _pause_desk(self, turn: Turn, actor: str) -> str:
        latch = self._state.latch
        if latch.mode is not DeskMode.ACTIVE:
            raise InvalidInput(f"The desk is {latch.mode} already: {latch.reason}")
        self._guard.latch(turn, DeskMode.REDUCING, "paused", "paused by the owner", actor)
        return "REDUCING: no entries; exits and stops go on. /resume ends it."

    def _arm(self, turn: Turn, actor: str) -> str:
        state = self._state
        if not state.config.live:
            raise InvalidInput("This desk trades on paper: there is nothing to arm. TRADING=live is needed.")
        if state.armed:
            raise InvalidInput("The desk is armed already.")
        if not state.reconciled:
            raise InvalidInput("The broker's book has not been read yet; try again in a moment.")
        state.armed = True
        turn.alert(
            f"armed:{turn.at:%Y%m%d%H%M%S}",
            Priority.CRITICAL,
            "desk",
            "LIVE: the desk is armed",
            f"By {actor} at {clock_text(turn.at)}. Entries use real money. /paper takes it back.",
        )
        return "LIVE: armed. Entries use real money from now on; /paper takes it back at once."

    def _disarm(self, turn: Turn) -> str:
        state = self._state
        if not state.config.live:
            raise InvalidInput("This desk trades on paper already.")
        if not state.armed:
            return "Not armed already: no live entries. Positions keep their stops."
        state.armed = False
        self._guard.withdraw_entries(turn, "the desk was disarmed", None)
        return "Disarmed: no live entries from now on. Positions keep their stops; /kill closes them."

    def not_resumed(self) -> str:
        """Why /resume would be refused now, or nothing."""
        if self._kill.running:
            return "/kill is still at work; wait for its report."
        blocked = self._guard.blocked_by()
        return f"Not resumed. {blocked}" if blocked else ""

    def _resume_desk(self, turn: Turn, actor: str) -> str:
        latch = self._state.latch
        if latch.mode is DeskMode.ACTIVE:
            raise InvalidInput("The desk is trading already.")
        if why := self.not_resumed():
            raise InvalidInput(why)
        self._guard.release(turn, actor)
        self._kill.forget(turn)
        alive = sum(1 for r in self._state.instances.values() if r.instance.status.alive)
        return f"ACTIVE: trading again. {counted(alive, 'strategy', 'strategies')} running."
