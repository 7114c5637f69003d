"""The people's side: what they type, press and edit, and what their chats show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from sandbox.botapi.changes import Changes
from sandbox.botapi.chat import Button, ShownMessage, chat_json, message_json, user_json
from sandbox.botapi.errors import Json
from sandbox.botapi.markup import command_entities
from sandbox.botapi.updates import UpdateQueue

T = TypeVar("T")
BOT: Json = {
    "id": 123456, "is_bot": True, "first_name": "Munim", "username": "munim_sandbox_bot",
    "can_join_groups": False, "can_read_all_group_messages": False, "supports_inline_queries": False,
}  # fmt: skip


def wall_now() -> datetime:
    return datetime.now(UTC)


class People:
    """Every action answers with the id of the update it caused."""

    def __init__(self, now: Callable[[], datetime], conflict_delay: float) -> None:
        self.changes = Changes()
        self.now = now
        self.updates = UpdateQueue(self.changes, now, conflict_delay)
        self.names: dict[int, str] = {}
        self.blocked: set[int] = set()  # people who blocked the bot
        self.strangers_to_bot: set[int] = (
            set()
        )  # people who have not pressed Start: the bot can't write to them
        self.presses: dict[str, datetime] = {}  # callback queries still waiting for their answer
        self.toasts: list[str] = []  # texts shown by answerCallbackQuery
        self._messages: dict[int, ShownMessage] = {}
        self._last_message_id = 1000
        self._last_query_id = 5_000_000

    # -- acting

    def say(
        self,
        user_id: int,
        text: str,
        *,
        chat: int | None = None,
        date: datetime | None = None,
        forwarded: bool = False,
        update_id: int | None = None,
        name: str | None = None,
    ) -> int:
        """``chat`` defaults to the private one; negative ids are groups. ``date``: when the server got it."""
        self.names[user_id] = name or self.names.get(user_id, f"Person {user_id}")
        self.strangers_to_bot.discard(user_id)
        shown = self.add(
            ShownMessage(
                message_id=0,
                chat_id=user_id if chat is None else chat,
                sender_id=user_id,
                by_bot=False,
                text=text,
                date=date or self.now(),
                entities=command_entities(text),
                forwarded=forwarded,
            )
        )
        return self.updates.put("message", self.message_json(shown), update_id)

    def press(
        self,
        message_id: int,
        button: str | Button,
        user_id: int | None = None,
        *,
        expired: bool = False,
        lagging: bool = False,
    ) -> int:
        """By label or data; by the chat's owner unless told. ``expired``: too long ago to be answered
        any more. ``lagging``: that person's screen still shows an earlier keyboard."""
        shown = self.message(message_id)
        found = button if isinstance(button, Button) else shown.button(button, lagging=lagging)
        presser = shown.chat_id if user_id is None else user_id
        self._last_query_id += 1
        query_id = str(self._last_query_id)
        self.presses[query_id] = datetime.min.replace(tzinfo=UTC) if expired else self.now()
        body: Json = {
            "id": query_id,
            "from": user_json(presser, self.names.get(presser, f"Person {presser}")),
            "message": self.message_json(shown),
            "chat_instance": str(shown.chat_id),
            "data": found.data,
        }
        return self.updates.put("callback_query", body)

    def edit(self, message_id: int, text: str) -> int:
        """A person edits a message of theirs."""
        shown = self.message(message_id)
        shown.text, shown.entities, shown.edits = text, command_entities(text), shown.edits + 1
        self.changes.changed()
        return self.updates.put("edited_message", self.message_json(shown))

    def resend(self, update_id: int) -> None:
        """Deliver the same update once more, as happens when a bot dies before acknowledging it."""
        self.updates.put_again(update_id)

    def deliver(self, kind: str, body: Json) -> int:
        """Any update at all, malformed ones included."""
        return self.updates.put(kind, body)

    # -- looking

    def messages(self, chat: int) -> list[ShownMessage]:
        """What the chat shows now, oldest first."""
        return [shown for shown in self._messages.values() if shown.chat_id == chat]

    def replies(self, chat: int) -> list[ShownMessage]:
        """The bot's part of it."""
        return [shown for shown in self.messages(chat) if shown.by_bot]

    def texts(self, chat: int) -> list[str]:
        return [shown.text for shown in self.replies(chat)]

    def message(self, message_id: int) -> ShownMessage:
        return self._messages[message_id]

    def last(self, chat: int) -> ShownMessage:
        return self.messages(chat)[-1]

    async def wait_for(self, predicate: Callable[[], T], within: float = 5.0) -> T:
        """The first truthy value of ``predicate``, tried whenever something happens."""
        try:
            return await self.changes.until(predicate, within)
        except TimeoutError:
            seen = [f"{shown.chat_id}: {shown.text[:60]!r}" for shown in self._messages.values()]
            raise TimeoutError(f"Not within {within} s; the chats show {seen}") from None

    async def wait_for_text(self, chat: int, part: str, within: float = 5.0) -> ShownMessage:
        """The bot's message containing ``part``."""

        def find() -> ShownMessage | None:
            return next((shown for shown in self.replies(chat) if part in shown.text), None)

        found = await self.wait_for(find, within)
        assert found is not None  # noqa: S101 - wait_for returns truthy values only; mypy can't know
        return found

    # -- for the methods

    def add(self, shown: ShownMessage) -> ShownMessage:
        self._last_message_id += 1
        shown.message_id = self._last_message_id
        self._messages[shown.message_id] = shown
        self.changes.changed()
        return shown

    def remove(self, message_id: int) -> ShownMessage | None:
        self.changes.changed()
        return self._messages.pop(message_id, None)

    def find(self, chat: int, message_id: int) -> ShownMessage | None:
        shown = self._messages.get(message_id)
        return shown if shown is not None and shown.chat_id == chat else None

    def message_json(self, shown: ShownMessage) -> Json:
        name = self.names.get(shown.chat_id, f"Person {shown.chat_id}")
        sender = self.names.get(shown.sender_id, f"Person {shown.sender_id}")
        return message_json(
            shown, BOT if shown.by_bot else user_json(shown.sender_id, sender), chat_json(shown.chat_id, name)
        )
