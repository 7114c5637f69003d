"""The seam between the notifier and a transport that can reach a person."""

from __future__ import annotations

from typing import Protocol

from handlers.message import Reply


class ChannelDown(Exception):
    """Nobody can be reached just now; keep the message and try again. ``retry_after`` in seconds, if told.
    ``shut``: on the recipient's side, who opens it by writing; then it is tried at once."""

    def __init__(self, reason: str, retry_after: float | None = None, *, shut: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.shut = shut


class MaybeSent(Exception):
    """Timed out: it may have arrived. Only what is critical is sent again, marked as a possible repeat."""


class Undeliverable(Exception):
    """This message can never be sent (malformed even as plain text, recipient gone)."""


class Channel(Protocol):
    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody alerts go to: "tg:4711", "terminal"."""
        ...

    async def send(self, recipient: str, message: Reply, *, silent: bool) -> None:
        """Deliver, or raise ChannelDown, MaybeSent or Undeliverable."""
        ...
