"""What goes into and comes out of chat, whichever transport carries it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    MESSAGE = "message"
    PRESS = "press"  # a button
    EDITED = "edited"
    FORWARDED = "forwarded"
    OTHER = "other"  # channel posts and whatever else a bot can be sent


@dataclass(frozen=True, slots=True)
class Incoming:
    """Something a person sent. ``text`` is the message, or the nonce of the pressed button.

    ``chat_type`` is Telegram's word ("private", "group" …); the terminal is "terminal".
    """

    source_id: str  # unique for ever: "tg:<update_id>", "term:<run>:<n>"
    kind: Kind
    user_id: int
    user_name: str
    chat_id: int
    chat_type: str
    text: str
    sent_at: datetime  # wall clock, aware; a press carries the moment it arrived
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One paragraph; ``bold`` for headings."""

    text: str
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Pre:
    """Preformatted text, at most 34 columns wide: tables."""

    text: str


Block = Line | Pre


class Style(StrEnum):
    PLAIN = ""
    PRIMARY = "primary"
    SUCCESS = "success"
    DANGER = "danger"


@dataclass(frozen=True, slots=True)
class Button:
    """Pressing it runs ``command`` as if typed by the same person, with ``confirmed`` set.

    ``later`` is for buttons that are found hours later, below an alert: a command that only looks, which an
    old press runs instead, also after a restart.
    """

    label: str
    command: str
    style: Style = Style.PLAIN
    later: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """Opens an address in the reader's browser; Munim hears nothing of it."""

    label: str
    address: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. ``buttons`` are rows; the transport shows them, the dispatcher makes them single-use.
    ``links`` stand above them, a row each. ``course`` is for what takes long: every reply of it takes the
    place of the one before, the last one stands."""

    blocks: Sequence[Block] = ()
    buttons: Sequence[Sequence[Button]] = ()
    picture: bytes | None = None  # PNG
    links: Sequence[Link] = ()
    course: Callable[[], AsyncIterator[Reply]] | None = None

    @property
    def headline(self) -> str:
        """The first line, for the audit trail."""
        for block in self.blocks:
            return block.text.splitlines()[0] if block.text else ""
        return ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A reply ready for a transport: its buttons carry nonces instead of commands, 8 characters each and
    behind them, where there is one, the button's ``later``.

    ``erase``: the message that is answered holds a secret; take it out of the chat where that can be done.
    """

    reply: Reply
    nonces: Sequence[Sequence[str]] = field(default_factory=tuple)  # shaped like reply.buttons
    erase: bool = False
    course: AsyncIterator[Outgoing] | None = None


def say(*lines: str, bold_first: bool = False) -> Reply:
    """A reply of plain lines."""
    return Reply(tuple(Line(text, bold=bold_first and n == 0) for n, text in enumerate(lines)))
