"""Misbehaviour on demand, in the order it was asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sandbox.botapi.errors import ApiError, refusal


class Way(StrEnum):
    REFUSE = "refuse"  # answer with an error, do nothing
    DROP = "drop"  # close the connection, do nothing
    HANG = "hang"  # do nothing, answer nothing, until released
    DELAY = "delay"  # do it, later
    DELIVER_THEN_HANG = "deliver then hang"  # do it, answer nothing, until released
    DELIVER_THEN_DROP = "deliver then drop"  # do it, close the connection unanswered
    GARBLE = "garble"  # answer 200 with something that is no JSON, as captive portals do


@dataclass(slots=True)
class Fault:
    method: str  # "*" for all
    way: Way
    times: int | None  # None: until healed
    error: ApiError | None = None
    seconds: float | None = None


@dataclass(slots=True)
class Faults:
    """The first that fits a call is used up by it."""

    waiting: list[Fault] = field(default_factory=list)

    def take(self, method: str) -> Fault | None:
        for fault in self.waiting:
            if fault.method == "*" or fault.method.lower() == method.lower():
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.waiting.remove(fault)
                return fault
        return None

    def add(self, method: str, way: Way, times: int | None, seconds: float | None = None) -> None:
        self.waiting.append(Fault(method, way, times, seconds=seconds))

    def fail(
        self, method: str, status: int, times: int | None, retry_after: int | None, description: str | None
    ) -> None:
        self.waiting.append(Fault(method, Way.REFUSE, times, refusal(status, retry_after, description)))
