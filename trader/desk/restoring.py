"""Going on after a restart: clean stop and crash take the same path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trader.desk.exits import Exits
from trader.desk.instances import Instances
from trader.desk.portfolio import Slot
from trader.desk.running import Running, configure, made, without_its_code
from trader.desk.state import DeskState, Turn
from trader.domain.counting import counted
from trader.domain.errors import InvalidInput
from trader.domain.instrument import symbols_text
from trader.domain.order import Order, OrderState, Purpose
from trader.domain.position import Fill
from trader.domain.records import InstanceStatus, LedgerState, Priority, StrategyInstance

RAN = "ran:"  # settings under which the day's jobs note the day they ran last


def restore(state: DeskState, ledger: LedgerState, open_fills: Sequence[Fill]) -> None:
    """Fill the state from the ledger; nothing is decided yet."""
    if ledger.latch is not None:
        state.latch = ledger.latch
    if ledger.counters is not None:
        state.counters = ledger.counters
    state.portfolio.restore(ledger.positions, open_fills, ledger.day_results)
    state.plans = {Slot(plan.owner, plan.key, plan.product): plan for plan in ledger.plans if not plan.closed}
    for order in ledger.orders:
        state.orders[order.tag] = order
        if order.order_id is not None:
            state.tags_by_id[order.order_id] = order.tag
        if order.working:
            state.working[order.tag] = order
    state.sequences = dict(ledger.order_sequences)
    state.commands_done = set(ledger.commands_done)
    state.ran = {n.removeprefix(RAN): v for n, v in ledger.settings.items() if n.startswith(RAN)}
    state.serial = max([ledger.tag_serial, *(_serial(order) for order in ledger.orders)])
    state.pace.restore(
        (
            o.request.at
            for o in ledger.orders
            if o.purpose is not Purpose.EXTERNAL and o.state is not OrderState.DENIED
        ),
        state.counters.orders,
        state.counters.day,
    )


def _serial(order: Order) -> int:
    """The number in one of our own tags. A commit that failed leaves a gap, so counting is not enough."""
    digits = order.tag[-6:]
    return int(digits) if order.tag.startswith("M") and digits.isdigit() else 0


def restart_instances(
    turn: Turn, state: DeskState, instances: Instances, exits: Exits, records: Sequence[StrategyInstance]
) -> None:
    """Strategies that ran, run on, and those that were closing, close. A strategy whose file is gone or
    whose settings it no longer takes fails alone; its positions keep their stops, and the owner may have them
    closed."""
    for instance in sorted(records, key=lambda i: i.name):
        try:
            instance = _with_listed(turn, state, instance)
            running = _running(state, instance)
        except InvalidInput as e:
            held = len(state.portfolio.open_positions(instance.name))
            if instance.status.alive:
                instance = _failed(turn, instance, held, str(e))
                instances.withdraw(turn, instance.name, close=False)
            elif instance.status is not InstanceStatus.STOPPING and not held:
                continue
            running = without_its_code(instance)
        if instance.status.alive:
            if instance.status is InstanceStatus.RUNNING:
                running.instance = replace(instance, status=InstanceStatus.WARMING)
            instances.begin(turn, running)
        else:
            state.instances[instance.name] = running
            # What one that failed is to close is among what was being left (leaving.py). The rest was
            # promised to stay: its file was gone, and is there again.
            if instance.status is InstanceStatus.STOPPING:
                slots = [s for s in state.portfolio.open_slots() if s.owner == instance.name]
                exits.leave_all(turn, slots, Purpose.EXIT)
                if not slots:
                    instances.status(turn, running, InstanceStatus.STOPPED, "closed and stopped")


def _failed(turn: Turn, instance: StrategyInstance, held: int, fault: str) -> StrategyInstance:
    failed = replace(instance, status=InstanceStatus.FAILED, updated_at=turn.at, message=fault)
    turn.write(failed)
    open_ = (
        f"Still open, with stops: {counted(held, 'position')}. /stop_strategy {instance.name} close ends it."
    )
    turn.alert(
        f"failed:{instance.name}:{turn.at:%Y%m%d%H%M%S%f}",
        Priority.CRITICAL,
        "strategy",
        f"{instance.name} could not be restarted",
        f"{fault}\n{open_ if held else 'It holds no position.'}",
    )
    return failed


def _with_listed(turn: Turn, state: DeskState, instance: StrategyInstance) -> StrategyInstance:
    """The instance without symbols that are not listed any more: a contract that expired must not take the
    others along. InvalidInput when none is left."""
    listed = tuple(key for key in instance.symbols if state.instrument(key) is not None)
    alive = instance.status.alive or instance.status is InstanceStatus.STOPPING
    if len(listed) == len(instance.symbols) or not alive:
        return instance
    gone = [key for key in instance.symbols if key not in listed]
    if not listed:
        raise InvalidInput(f"No longer listed: {symbols_text(gone)}. Expired, renamed or delisted.")
    names = symbols_text(gone)
    turn.alert(
        f"unlisted:{instance.name}:{turn.at:%Y%m%d%H%M%S%f}",
        Priority.CRITICAL,
        "strategy",
        f"{instance.name}: {names} not listed",
        "Expired, renamed or delisted; it goes on with the rest.",
    )
    left = replace(instance, symbols=listed, updated_at=turn.at)
    turn.write(left)
    return left


def _running(state: DeskState, instance: StrategyInstance) -> Running:
    kind = state.catalogue.get(instance.strategy)
    return made(kind, instance, configure(kind, dict(instance.settings)))
