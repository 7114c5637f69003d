"""Orders of unknown outcome that the broker's book does not show while nothing proves it fresh: in an account
in which nothing else happens, only somebody who looks elsewhere can tell."""

from __future__ import annotations

from datetime import timedelta

from trader.desk.answers import Answers
from trader.desk.orders import describe
from trader.desk.state import DeskState, Turn
from trader.domain.errors import InvalidInput
from trader.domain.order import Order, OrderState, Tag
from trader.domain.records import Priority
from trader.domain.times import clock_text

# faults.md 2: an accepted order was invisible for 83 s. Only after more than that, and several complete
# readings that began later, is an order believed to be absent.
PROOF_AFTER = timedelta(seconds=120)
PROOF_READS = 3


class Unseen:
    """Not recorded: after a restart the readings are counted anew."""

    def __init__(self, state: DeskState, answers: Answers) -> None:
        self._state = state
        self._answers = answers
        self._readings: dict[Tag, int] = {}  # complete ones without a trace, fresh or not
        self._asked: set[Tag] = set()

    def read(self, order: Order) -> None:
        """One more reading without it."""
        self._readings[order.tag] = self._readings.get(order.tag, 0) + 1

    def unproven(self, turn: Turn, order: Order) -> None:
        """The owner is asked once."""
        if order.tag in self._asked or not self._long(turn, order):
            return
        self._asked.add(order.tag)
        turn.alert(
            f"unseen:{order.tag}",
            Priority.CRITICAL,
            "order",
            f"Still unknown: {describe(order)}",
            f"{self._readings[order.tag]} readings of the order book do not show it, but nothing proves that"
            " they are fresh. Look into the broker's own app. If it is not there either, /not_there says so.",
        )

    def not_there(self, turn: Turn, tag: str) -> str:
        """The owner has looked. InvalidInput where the book may tell yet."""
        order = self._state.orders.get(Tag(tag))
        if order is None or order.state is not OrderState.UNKNOWN:
            raise InvalidInput("The outcome of that order is not unknown any more. Nothing was done.")
        count = self._readings.get(order.tag, 0)
        if not self._long(turn, order):
            since = clock_text(order.request.at + PROOF_AFTER)
            raise InvalidInput(
                f"The book may still show it. Your word is taken from {since} on, after {PROOF_READS}"
                f" readings without it ({count} so far). Nothing was done."
            )
        proof = f"Not in {count} readings of the order book, and not in the broker's app, says the owner."
        self._answers.not_placed(turn, order, proof)
        return f"{describe(order)} counts as not placed. Should it turn up after all, you are told."

    def _long(self, turn: Turn, order: Order) -> bool:
        waited = turn.at - order.request.at
        return self._readings.get(order.tag, 0) >= PROOF_READS and waited >= PROOF_AFTER
