"""What the Telegram side is told, whom it asks and how patient it is. Free of the library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from handlers.message import Incoming, Outgoing, Reply
from trader.domain.times import IST

TELEGRAM_API = "https://api.telegram.org"


class Dispatch(Protocol):
    """Whoever runs commands."""

    async def __call__(self, incoming: Incoming) -> Outgoing | None:
        """The answer, or None for silence."""
        ...

    def allows(self, incoming: Incoming) -> bool:
        """May this person, in this chat, be heard at all? Must not block. An exception counts as no."""
        ...


@dataclass(frozen=True, slots=True)
class TelegramSettings:
    token: str = field(repr=False)
    owner_ids: tuple[int, ...]
    viewer_ids: tuple[int, ...] = ()
    api_url: str = TELEGRAM_API
    alert_viewers: bool = False

    def __post_init__(self) -> None:
        if not self.owner_ids:
            raise ValueError(
                "Expected at least one numeric id in TELEGRAM_OWNER_IDS: nobody could use the bot"
            )

    @property
    def known_ids(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys((*self.owner_ids, *self.viewer_ids)))

    @property
    def alerted_ids(self) -> tuple[int, ...]:
        return self.known_ids if self.alert_viewers else tuple(dict.fromkeys(self.owner_ids))


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds, all of them."""

    poll: float = 25  # how long Telegram may hold a getUpdates; its cap is 50
    poll_pause: float = 0.1  # between polls, so that a server that answers at once can't make us spin
    silence: float = 60  # no good poll for so long: rebuild everything
    look: float = 1  # how often that is checked
    http: float = 5  # connect, write and read limits of one request
    request: float = 15  # one request in all, however slowly it trickles
    acknowledge: float = 2  # a pressed button's spinner may hold up the press for so long
    backoff_first: float = 1
    backoff_most: float = 60
    answer_within: float = 120  # an answer that could not be delivered until then is given up
    conflict_again: float = 60  # a lasting conflict is reported so often
    menu_again: float = 60  # first pause before another try at the command menu; doubles up to an hour
    stop_poll: float = 3  # these three bound the stop, 8 s in all
    stop_answers: float = 2
    stop_rest: float = 1.2


@dataclass(frozen=True, slots=True)
class Hooks:
    """Who hears of what the transport notices. They must not block; what they raise is logged and dropped."""

    on_conflict: Callable[[str], None] = lambda reason: None
    """Another program polls with our token: a second trader may be alive. A safety event."""
    on_refused: Callable[[Incoming], None] = lambda incoming: None
    """Somebody was kept out."""
    on_unreadable: Callable[[int], None] = lambda update_id: None
    """An update the library can't parse was skipped; a command may have been in it."""
    on_heard: Callable[[int], None] = lambda user_id: None
    """Somebody known wrote or pressed: the bot can write to them."""
    on_unanswered: Callable[[Incoming], None] = lambda incoming: None
    """What somebody was to be answered could not be delivered in time; said once for each message."""


Menu = Callable[[int], Sequence[tuple[str, str]]]
"""The (command, description) pairs one user's menu shows."""

WithNonces = Callable[[int, Reply], Outgoing]
"""Makes the buttons of an alert to one user single-use; the dispatcher's."""


def wall_now() -> datetime:
    return datetime.now(IST)
