"""Alerts over Telegram. Outlives rebuilds: every message goes through the bot that is running at the time."""

from __future__ import annotations

from dataclasses import replace

from handlers.channel import MaybeSent, Undeliverable
from handlers.message import Outgoing, Reply
from handlers.telegram.connection import Connection
from handlers.telegram.delivery import Delivery, steps
from handlers.telegram.keyboards import Keyboards
from handlers.telegram.settings import Pace, WithNonces

PREFIX = "tg:"
REMEMBERED = 50


class TelegramChannel:
    """Without ``with_nonces`` alerts go out without their buttons."""

    def __init__(
        self,
        alerted_ids: tuple[int, ...],
        connection: Connection,
        keyboards: Keyboards,
        pace: Pace,
        with_nonces: WithNonces | None = None,
    ) -> None:
        self._alerted_ids, self._connection, self._keyboards = alerted_ids, connection, keyboards
        self._pace, self._with_nonces = pace, with_nonces
        self._begun: dict[tuple[str, str], Delivery] = {}  # long ones interrupted halfway, by what they say

    @property
    def recipients(self) -> tuple[str, ...]:
        return tuple(f"{PREFIX}{user_id}" for user_id in self._alerted_ids)

    async def send(self, recipient: str, message: Reply, *, silent: bool) -> None:
        if recipient not in self.recipients:
            raise Undeliverable(f"Expected one of {', '.join(self.recipients)}, was asked for {recipient!r}")
        bot = self._connection.bot()
        chat = int(recipient.removeprefix(PREFIX))
        key = (recipient, repr(message.blocks))
        delivery = self._begun.pop(key, None) or self._prepared(chat, message, silent)
        try:
            await delivery.run(bot, self._pace.request)
        except (MaybeSent, Undeliverable):
            raise
        except Exception:
            if delivery.begun:  # sent again, it goes on where it stopped
                self._begun[key] = delivery
                while len(self._begun) > REMEMBERED:
                    del self._begun[next(iter(self._begun))]
            raise

    def _prepared(self, chat: int, message: Reply, silent: bool) -> Delivery:
        if self._with_nonces is not None and message.buttons:
            outgoing = self._with_nonces(chat, message)
        else:
            outgoing = Outgoing(replace(message, buttons=()))
        return Delivery(steps(chat, outgoing, silent=silent), _unclaimed)


def _unclaimed(chat: int, message_id: int, nonces: frozenset[str]) -> None:
    """An alert's text is the record of what happened: no press may replace it. A keyboard nobody has noted is
    taken away by its first press, and the answer stands below."""
