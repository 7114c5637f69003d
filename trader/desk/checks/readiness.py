"""Whether the desk is to enter anything now, and nothing it does not know yet stands against it."""

from __future__ import annotations

from trader.desk.case import Case
from trader.domain.instrument import symbol_of
from trader.domain.order import Denied, Purpose
from trader.domain.records import DeskMode
from trader.domain.times import clock_text, span_text

# Until Python 3.12 a member looked up in its class takes ten times as long as a global.
_ACTIVE, _ENTRY = DeskMode.ACTIVE, Purpose.ENTRY


def trading_state(case: Case) -> Denied | None:
    latch = case.latch
    if latch.mode is _ACTIVE:
        return None
    return Denied("mode", f"The desk is {latch.mode} since {clock_text(latch.since)}: {latch.reason}")


def armed(case: Case) -> Denied | None:
    if case.armed:
        return None
    return Denied("disarmed", "The desk trades live money only after /live with a one-time code.")


def book_read(case: Case) -> Denied | None:
    if case.reconciled:
        return None
    return Denied(
        "book_unread", "The broker's book must be read first, as after a start, a login, an outage."
    )


def strategy_state(case: Case) -> Denied | None:
    return Denied("paused", f"{case.request.owner} is paused.") if case.paused else None


def settled_outcomes(case: Case) -> Denied | None:
    if not case.unresolved:
        return None
    return Denied(
        "unresolved_order",
        f"An order in {symbol_of(case.request.key)} has an unknown outcome; it must be found first.",
    )


def locked(case: Case) -> Denied | None:
    """The broker shows a position there that this desk did not make; the owner has not judged it yet."""
    if not case.locked:
        return None
    symbol = symbol_of(case.request.key)
    return Denied("locked", f"{symbol} is locked: {case.locked} /adopt, /ignore or /flatten {symbol}.")


def duplicate_signal(case: Case) -> Denied | None:
    """The same entry twice in a few seconds is a loop, not a decision."""
    request = case.request
    for order in case.recent:
        earlier = order.request
        if (
            earlier.purpose is _ENTRY
            and (earlier.side, earlier.quantity) == (request.side, request.quantity)
            and case.at - earlier.at < case.limits.duplicate_window
        ):
            return Denied(
                "duplicate_signal",
                f"The same entry was made {span_text(case.at - earlier.at)} ago.",
            )
    return None
