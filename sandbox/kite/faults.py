"""Misbehaviour on demand: what there is, how often or how long, and whether the call is carried out first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatch

from sandbox.kite.agenda import Agenda


class Kind(StrEnum):
    """The first group spoils answers, the second is a state, the third happens at once."""

    DROP = "drop"  # the connection, without an answer
    TIMED_OUT = "timed_out"  # 400 "Order request timed out…"
    DOWN = "down"  # 503 JSON; ``status`` for 500, 502, 504
    HTML = "html"  # a gateway's page with 502; ``status`` for others
    TOO_MANY = "too_many"  # 429
    UNTYPED = "untyped"  # error JSON without error_type
    REFUSE = "refuse"  # any ``status``, ``error_type``, ``message``
    ADDRESS = "address"  # 403: this IP may not send orders
    EMPTY = "empty"  # 200, but data without order_id
    NO_CONTENT_TYPE = "no_content_type"  # carried out, answered without the header
    CUT = "cut"  # carried out; the answer ends after ``at`` bytes
    RESET = "reset"  # the connection, if it was kept alive from an earlier call; a fresh one works
    SLOW = "slow"  # answers ``seconds`` of real time late, None: when cleared

    INVISIBLE = "invisible"  # new orders are missing from the book for ``seconds``
    STALE = "stale"  # reads answer what they answered when it began; placing works
    REJECT = "reject"  # accepted, then REJECTED with ``message``
    HALF_OPEN = "half_open"  # streams that are open now neither send nor answer any more
    FROZEN = "frozen"  # no ticks, but heartbeats
    MUTE = "mute"  # no ticks of the instrument ``on``
    DEAF = "deaf"  # streams ignore mode messages
    DUPLICATE = "duplicate"  # order updates are sent twice
    REORDER = "reorder"  # an order update is held back until after the next one
    LOSE = "lose"  # order updates are not sent
    NULL_TAGS = "null_tags"  # order updates carry no tag
    CONSENT = "consent"  # the login ends on the consent page

    DROP_STREAM = "drop_stream"  # every stream's connection is cut
    KILL_TOKEN = "kill_token"  # noqa: S105 - a name, no secret
    OTHER_LOGIN = "other_login"  # somebody else logged in to the same app
    SQUARE_OFF = "square_off"  # the broker closes MIS positions now


ANSWERS = frozenset({
    Kind.DROP, Kind.TIMED_OUT, Kind.DOWN, Kind.HTML, Kind.TOO_MANY, Kind.UNTYPED, Kind.REFUSE, Kind.ADDRESS,
    Kind.EMPTY, Kind.NO_CONTENT_TYPE, Kind.CUT, Kind.RESET, Kind.SLOW,
})  # fmt: skip
MOMENTS = frozenset({Kind.DROP_STREAM, Kind.KILL_TOKEN, Kind.OTHER_LOGIN, Kind.SQUARE_OFF})
ORDER_ROUTES = ("place", "modify", "cancel", "gtt.place", "gtt.modify", "gtt.delete")


@dataclass(slots=True, eq=False)
class Fault:
    """``on``: a route's name or pattern. ``accepted``: the call is carried out before it is spoilt."""

    kind: Kind
    on: str = "*"
    times: int | None = 1  # None: until cleared
    accepted: bool = False
    seconds: float | None = None
    status: int | None = None
    error_type: str = "GeneralException"
    message: str | None = None
    at: int = 20  # bytes

    def fits(self, route: str) -> bool:
        if self.kind is Kind.ADDRESS and self.on == "*":
            return route in ORDER_ROUTES
        return fnmatch(route, self.on)


@dataclass(slots=True)
class Faults:
    """Each is used up by the call it fits, in the order they were added."""

    agenda: Agenda
    active: list[Fault] = field(default_factory=list)
    begins: dict[Kind, Callable[[Fault], None]] = field(default_factory=dict)
    ends: dict[Kind, Callable[[Fault], None]] = field(default_factory=dict)

    def add(
        self,
        kind: Kind | str,
        on: str = "*",
        *,
        times: int | None = 1,
        accepted: bool = False,
        seconds: float | None = None,
        lasting: float | None = None,
        status: int | None = None,
        error_type: str = "GeneralException",
        message: str | None = None,
        at: int = 20,
    ) -> Fault:
        """``lasting``: seconds of the virtual clock after which it clears itself.

        States that no call uses up (stale, half_open, frozen, mute, deaf, consent) ignore ``times``.
        """
        fault = Fault(Kind(kind), on, times, accepted, seconds, status, error_type, message, at)
        if fault.kind not in MOMENTS:
            self.active.append(fault)
        if (begin := self.begins.get(fault.kind)) is not None:
            begin(fault)
        if lasting is not None:
            self.agenda.after(lasting, lambda: self.remove(fault))
        return fault

    def clear(self, kind: Kind | str | None = None) -> None:
        """All of one kind, or all there are."""
        for fault in [one for one in self.active if kind is None or one.kind == kind]:
            self.remove(fault)

    def remove(self, fault: Fault) -> None:
        if fault in self.active:
            self.active.remove(fault)
            if (end := self.ends.get(fault.kind)) is not None:
                end(fault)

    def for_answer(self, route: str, *, reused: bool) -> Fault | None:
        """The fault this call runs into. ``reused``: its connection has served a call before."""
        for fault in self.active:
            if fault.kind in ANSWERS and fault.fits(route) and (reused or fault.kind is not Kind.RESET):
                return self._use(fault)
        return None

    def use(self, kind: Kind) -> Fault | None:
        """Count one of ``kind`` down, if there is any."""
        fault = self.on_now(kind)
        return None if fault is None else self._use(fault)

    def on_now(self, kind: Kind) -> Fault | None:
        return next((fault for fault in self.active if fault.kind is kind), None)

    def _use(self, fault: Fault) -> Fault:
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.remove(fault)
        return fault
