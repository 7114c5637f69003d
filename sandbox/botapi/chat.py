"""What a chat shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sandbox.botapi.errors import Json


@dataclass(frozen=True, slots=True)
class Button:
    label: str
    data: str
    style: str = ""

    def to_json(self) -> Json:
        body = {"text": self.label, "callback_data": self.data}
        return body | ({"style": self.style} if self.style else {})


Keyboard = tuple[tuple[Button, ...], ...]


@dataclass(slots=True)
class ShownMessage:
    """One message as its reader sees it now; the bot's edits change it in place."""

    message_id: int
    chat_id: int
    sender_id: int
    by_bot: bool
    text: str  # or the caption
    date: datetime
    entities: list[Json] = field(default_factory=list)
    keyboard: Keyboard = ()
    photo: bytes | None = None
    document: tuple[str, bytes] | None = None  # file name, content
    silent: bool = False
    pinned: bool = False
    reaction: str = ""
    edits: int = 0
    forwarded: bool = False
    earlier_keyboards: list[Keyboard] = field(default_factory=list)

    @property
    def labels(self) -> list[list[str]]:
        return [[button.label for button in row] for row in self.keyboard]

    def show(self, keyboard: Keyboard) -> None:
        if self.keyboard:
            self.earlier_keyboards.append(self.keyboard)
        self.keyboard = keyboard

    def button(self, wanted: str, *, lagging: bool = False) -> Button:
        """By label or data; ``lagging`` looks in keyboards the bot has already replaced, too."""
        keyboards: list[Keyboard] = [self.keyboard]
        if lagging:
            keyboards += reversed(self.earlier_keyboards)
        buttons = [button for keyboard in keyboards for row in keyboard for button in row]
        for button in buttons:
            if wanted in (button.label, button.data):
                return button
        shown = [button.label for button in buttons]
        raise LookupError(f"Expected a button {wanted!r} under message {self.message_id}, it has {shown}")


def user_json(user_id: int, name: str) -> Json:
    return {"id": user_id, "is_bot": False, "first_name": name, "language_code": "en"}


def chat_json(chat_id: int, name: str) -> Json:
    """Positive ids are people, negative ones groups, as in Telegram."""
    if chat_id > 0:
        return {"id": chat_id, "type": "private", "first_name": name}
    return {"id": chat_id, "type": "supergroup", "title": f"Group {-chat_id}"}


def message_json(shown: ShownMessage, sender: Json, chat: Json) -> Json:
    body: Json = {
        "message_id": shown.message_id,
        "from": sender,
        "chat": chat,
        "date": int(shown.date.timestamp()),
    }
    if shown.photo is not None:
        width, height = int.from_bytes(shown.photo[16:20]), int.from_bytes(shown.photo[20:24])  # PNG header
        ids = {"file_id": f"photo{shown.message_id}", "file_unique_id": f"p{shown.message_id}"}
        body["photo"] = [ids | {"width": width, "height": height, "file_size": len(shown.photo)}]
    if shown.document is not None:
        ids = {"file_id": f"document{shown.message_id}", "file_unique_id": f"d{shown.message_id}"}
        body["document"] = ids | {"file_name": shown.document[0], "file_size": len(shown.document[1])}
    media = shown.photo is not None or shown.document is not None
    body["caption" if media else "text"] = shown.text
    body["caption_entities" if media else "entities"] = shown.entities
    if shown.keyboard:
        body["reply_markup"] = {"inline_keyboard": [[b.to_json() for b in row] for row in shown.keyboard]}
    if shown.edits:
        body["edit_date"] = int(shown.date.timestamp())
    if shown.forwarded:
        origin = {"type": "hidden_user", "sender_user_name": "Somebody", "date": body["date"]}
        body["forward_origin"] = origin
    return body
