"""What a connection shall bring, what Kite has been asked for, and whether it came.

Kite acknowledges nothing and forgets everything with the connection. So the wish is kept here, messages are
the difference between it and what this connection has sent, and a token counts as served only when a packet
of its mode has arrived.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from trader.broker.zerodha.stream.layout import Mode

CHUNK = 250  # tokens a message; Zerodha's advice is a few hundred (kite.md 13.1)


@dataclass(frozen=True, slots=True)
class Missing:
    """Tokens that were asked for twice: nothing came, or another mode did."""

    silent: tuple[int, ...]
    other_mode: tuple[int, ...]


class Subscriptions:
    """``grace``: seconds after asking in which a first packet is expected. Kite commonly sends a snapshot at
    once, but an instrument that does not trade may stay silent."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._wanted: dict[int, Mode] = {}
        self._sent: dict[int, Mode] = {}
        self._renewing: set[int] = set()  # to be let go and asked for anew
        self._unserved: dict[int, float] = {}  # token: until when a packet is expected
        self._came_as: dict[int, Mode] = {}  # of the unserved, in what other mode they came
        self._asked_again: set[int] = set()

    def __len__(self) -> int:
        return len(self._wanted)

    def __contains__(self, token: int) -> bool:
        return token in self._wanted

    @property
    def tokens(self) -> tuple[int, ...]:
        return tuple(self._wanted)

    @property
    def served(self) -> bool:
        """Nothing is being waited for."""
        return not self._unserved

    def want(self, tokens: Iterable[int], mode: Mode) -> None:
        for token in tokens:
            self._wanted[token] = mode

    def drop(self, tokens: Iterable[int]) -> None:
        for token in tokens:
            self._wanted.pop(token, None)
            self._forget(token)

    def renew(self, tokens: Iterable[int]) -> None:
        """Ask for these anew, as if they had never been sent."""
        for token in tokens:
            if token in self._sent:
                self._renewing.add(token)
            self._asked_again.discard(token)

    def connection_lost(self) -> None:
        for state in (self._sent, self._renewing, self._unserved, self._came_as, self._asked_again):
            state.clear()

    def messages(self, now: float) -> list[str]:
        """What to send, in order; counted as sent from here on."""
        gone = [token for token in self._sent if token not in self._wanted or token in self._renewing]
        for token in gone:
            del self._sent[token]
        self._renewing.clear()
        new = [token for token in self._wanted if token not in self._sent]
        texts = [_text("unsubscribe", chunk) for chunk in _chunks(gone)]
        fresh = set(new)
        for mode in Mode:
            asked = [token for token in new if self._wanted[token] is mode]
            moved = [t for t, sent in self._sent.items() if sent is not mode and self._wanted[t] is mode]
            for chunk in _chunks(asked + moved):
                added = [token for token in chunk if token in fresh]
                if added:
                    texts.append(_text("subscribe", added))
                # Said even of quote, Kite's own default: a mode left unsaid is one nobody can rely on.
                texts.append(_text("mode", [mode, chunk]))
                for token in chunk:
                    self._sent[token] = mode
                    self._unserved[token] = now + self._grace
                    self._came_as.pop(token, None)
        return texts

    def heard(self, tokens: Iterable[int], mode: Mode) -> None:
        """Packets of ``mode`` arrived."""
        unserved, sent = self._unserved, self._sent
        for token in tokens:
            if token in unserved:
                if sent.get(token) is mode:
                    self._forget_wait(token)
                else:
                    self._came_as[token] = mode

    def overdue(self, now: float) -> Missing | None:
        """Ask once more for what is late (``messages`` then has it); what is late again is told, once."""
        late = [token for token, until in self._unserved.items() if until <= now]
        told = [token for token in late if token in self._asked_again]
        for token in late:
            if token in self._asked_again:
                continue
            self._asked_again.add(token)
            self._renewing.add(token)
            del self._unserved[token]
        if not told:
            return None
        missing = Missing(
            tuple(t for t in told if t not in self._came_as), tuple(t for t in told if t in self._came_as)
        )
        for token in told:
            self._forget_wait(token)
        return missing

    def _forget_wait(self, token: int) -> None:
        self._unserved.pop(token, None)
        self._came_as.pop(token, None)
        self._asked_again.discard(token)

    def _forget(self, token: int) -> None:
        self._forget_wait(token)
        self._renewing.discard(token)


def _chunks(tokens: list[int]) -> list[list[int]]:
    return [tokens[start : start + CHUNK] for start in range(0, len(tokens), CHUNK)]


def _text(action: str, value: object) -> str:
    return json.dumps({"a": action, "v": value}, separators=(",", ":"))
