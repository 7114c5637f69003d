"""Buttons are single-use. What a phone gets is a nonce; the command behind it stays here, in memory,
so a restart voids every old button and a forged or forwarded press finds nothing.

An alert's buttons may be found hours later. They carry, behind the nonce, a command that only looks; an old
press shows with it how things stand now and offers fresh buttons, instead of acting on what was so then.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from handlers.message import Button, Outgoing, Reply, Style

CONFIRM_SECONDS = 30.0  # a coloured button acts; the price and the reason shown are soon old
CHOICE_SECONDS = 120.0
_CAPACITY = 2_000  # a phone shows a handful; the rest is somebody leaning on a refresh button
NONCE = 8  # characters
LONGEST = 62  # bytes: Telegram takes 64 with a button, and "k:" stands before these
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class _Pending:
    button: Button
    user_id: int
    chat_id: int
    group: tuple[str, ...]  # every nonce of the same reply
    expires: float


class Nonces:
    """Hands out nonces for a reply's buttons and takes each reply's presses once."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._pending: dict[str, _Pending] = {}

    def issue(self, reply: Reply, *, user_id: int, chat_id: int) -> Outgoing:
        """The reply with a nonce for each button, bound to this person in this chat."""
        if not any(reply.buttons):
            return Outgoing(reply)
        self._forget_expired()
        rows = tuple(tuple(_with_later(self._fresh(), button) for button in row) for row in reply.buttons)
        group = tuple(nonce for row in rows for nonce in row)
        expires = self._monotonic() + seconds_to_live(reply)
        for row, buttons in zip(rows, reply.buttons, strict=True):
            for nonce, button in zip(row, buttons, strict=True):
                self._pending[nonce] = _Pending(button, user_id, chat_id, group, expires)
        return Outgoing(reply, rows)

    def take(self, nonce: str, *, user_id: int, chat_id: int) -> Button | None:
        """The button pressed, once; it and its siblings are void from now on. None if there is nothing
        behind the nonce for this person, and then nothing changes."""
        found = self._pending.get(nonce)
        if found is None or (found.user_id, found.chat_id) != (user_id, chat_id):
            return None
        for sibling in found.group:
            self._pending.pop(sibling, None)
        return found.button if self._monotonic() <= found.expires else None

    def _fresh(self) -> str:
        return "".join(secrets.choice(_ALPHABET) for _ in range(NONCE))

    def _forget_expired(self) -> None:
        now = self._monotonic()
        self._pending = {n: p for n, p in self._pending.items() if p.expires >= now}
        while len(self._pending) > _CAPACITY:
            self._pending.pop(next(iter(self._pending)))  # the oldest


def _with_later(nonce: str, button: Button) -> str:
    carried = f"{nonce}{button.later}"
    return carried if len(carried.encode()) <= LONGEST else nonce


def later_of(pressed: str) -> str:
    """The command an old press falls back to, or nothing. Whoever presses can make this up: it is to be
    judged like something typed."""
    return pressed[NONCE:] if len(pressed) <= LONGEST and pressed[NONCE : NONCE + 1] == "/" else ""


def seconds_to_live(reply: Reply) -> float:
    """A reply with a green or red button asks for a confirmation; any other offers choices."""
    colours = {button.style for row in reply.buttons for button in row}
    return CONFIRM_SECONDS if colours & {Style.SUCCESS, Style.DANGER} else CHOICE_SECONDS
