"""Which message shows which buttons just now, so that one press owns the message and may overwrite it."""

from __future__ import annotations

from collections import OrderedDict
from enum import StrEnum

REMEMBERED = 500  # messages


class Claim(StrEnum):
    OURS = "ours"  # the first press of what it shows: the outcome replaces it
    FORGOTTEN = (
        "forgotten"  # sent before a restart, or long ago: its text may be all there is of an old alert
    )
    LATE = "late"  # another press came first: "already used" must not replace the outcome of that one


class Keyboards:
    def __init__(self) -> None:
        self._shown: OrderedDict[tuple[int, int], frozenset[str]] = OrderedDict()

    def shows(self, chat: int, message_id: int, nonces: frozenset[str]) -> None:
        self._shown[chat, message_id] = nonces
        self._shown.move_to_end((chat, message_id))
        while len(self._shown) > REMEMBERED:
            self._shown.popitem(last=False)

    def claim(self, chat: int, message_id: int, nonce: str) -> Claim:
        known = self._shown.get((chat, message_id))
        if known is not None and nonce not in known:
            return Claim.LATE
        self.shows(chat, message_id, frozenset())
        return Claim.OURS if known is not None else Claim.FORGOTTEN
