"""The history that indicators need: put before what closed meanwhile, and asked for again when it is late."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from trader.desk.effects import LoadHistory
from trader.desk.instances import Instances
from trader.desk.mending import Mending
from trader.desk.running import Running
from trader.desk.state import DeskState, Turn
from trader.domain.instrument import InstrumentKey, symbol_of
from trader.domain.market import Bar
from trader.domain.order import Owner
from trader.domain.records import InstanceStatus, Priority

AGAIN_AFTER = timedelta(seconds=30)  # after history that could not be had for a reason that passes
LOST_AFTER = timedelta(minutes=5)  # an answer that never came


class Warming:
    def __init__(self, state: DeskState, instances: Instances, mending: Mending) -> None:
        self._state = state
        self._instances = instances
        self._mending = mending

    def loaded(self, turn: Turn, owner: Owner, key: InstrumentKey, bars: Sequence[Bar]) -> None:
        running = self._state.instances.get(owner)
        if running is None or key not in running.awaiting:
            return
        if self._mending.mends(owner, key):
            self._mending.history(turn, running, key, bars)
            self._warm(turn, running)
            return
        running.awaiting.discard(key)
        if running.joint is not None:
            running.early[key] = [*bars, *running.early.pop(key, ())]
            if not running.awaiting:
                for bar in running.take_early():
                    running.joint.append(bar)
        else:
            window = running.windows[key]
            for bar in [*bars, *running.early.pop(key, ())]:
                window.append(bar)
        self._warm(turn, running)

    def _warm(self, turn: Turn, running: Running) -> None:
        if not running.awaiting and running.instance.status is InstanceStatus.WARMING:
            self._instances.status(turn, running, InstanceStatus.RUNNING)

    def failed(
        self, turn: Turn, owner: Owner, key: InstrumentKey, reason: str, *, passing: bool = False
    ) -> None:
        """A strategy waits for what is only late: a restart before the day's login must not end it, nor close
        what it holds."""
        running = self._state.instances.get(owner)
        if running is None or not running.instance.status.alive:
            return
        if not passing and not self._mending.mends(owner, key):
            self._instances.fail(turn, running, f"no history of {symbol_of(key)}: {reason}")
            return
        if not running.ask_again:
            turn.alert(
                f"waits:{owner}:{turn.at:%Y%m%d%H%M%S}",
                Priority.STRATEGY,
                "strategy",
                f"{owner} waits for its history",
                f"{reason}\nIt is asked for again; until then it decides nothing. Its stops stay.",
            )
        running.ask_again[key] = turn.at + AGAIN_AFTER

    def on_clock(self, turn: Turn, running: Running) -> None:
        instance = running.instance
        for key, at in list(running.ask_again.items()):
            if key not in running.awaiting or not instance.status.alive:
                del running.ask_again[key]
            elif turn.at >= at:
                running.ask_again[key] = turn.at + LOST_AFTER
                turn.send(LoadHistory(instance.name, key, instance.interval, running.history))
