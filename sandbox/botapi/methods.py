"""The Bot API's methods, as far as a bot like ours needs them: https://core.telegram.org/bots/api.

Limits and wordings of refusals follow the real server, because bots recognise errors by their words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from sandbox.botapi.chat import Keyboard, ShownMessage
from sandbox.botapi.errors import ApiError, Json, bad_request
from sandbox.botapi.markup import parse_html, utf16
from sandbox.botapi.params import Params
from sandbox.botapi.people import BOT, People

TEXT_AT_MOST, CAPTION_AT_MOST, TOAST_AT_MOST = 4096, 1024, 200
PHOTO_BYTES_AT_MOST, FILE_BYTES_AT_MOST = 10 << 20, 50 << 20
ANSWERABLE = timedelta(seconds=150)
TOO_OLD = "query is too old and response timeout expired or query ID is invalid"
SAME = (
    "message is not modified: specified new message content and reply markup are exactly the same as a "
    "current content and reply markup of the message"
)
COMMAND = re.compile(r"[a-z0-9_]{1,32}")


class Methods:
    def __init__(self, people: People) -> None:
        self._people = people
        self.commands: dict[str, list[Json]] = {}  # by scope, as JSON
        self._by_name: dict[str, Callable[[Params], Awaitable[Any]]] = {
            name.lower(): getattr(self, f"_{name}")
            for name in (
                "getMe", "getUpdates", "deleteWebhook", "sendMessage", "editMessageText",
                "editMessageReplyMarkup",
                "answerCallbackQuery", "sendPhoto", "sendDocument", "deleteMessage", "setMyCommands",
                "deleteMyCommands", "getMyCommands", "sendChatAction", "pinChatMessage", "setMessageReaction",
            )
        }  # fmt: skip

    async def call(self, method: str, params: Params) -> Any:
        found = self._by_name.get(method.lower())
        if found is None:
            raise ApiError(404, "Not Found: method not found")
        return await found(params)

    async def _getMe(self, params: Params) -> Any:
        return BOT

    async def _deleteWebhook(self, params: Params) -> Any:
        return True

    async def _getUpdates(self, params: Params) -> Any:
        allowed = params.parsed("allowed_updates")
        seconds, limit = params.number("timeout", 0), params.number("limit", 100)
        return await self._people.updates.poll(params.number("offset", 0), limit, seconds, allowed)

    async def _sendMessage(self, params: Params) -> Any:
        text, entities = _formatted(params, "text", TEXT_AT_MOST)
        if not text.strip():
            raise bad_request("message text is empty")
        return self._post(params, text, entities)

    async def _sendPhoto(self, params: Params) -> Any:
        _, content = params.file("photo")
        if len(content) > PHOTO_BYTES_AT_MOST:
            raise bad_request("file is too big")
        if not content.startswith(b"\x89PNG\r\n\x1a\n"):  # the only kind of picture this sandbox looks into
            raise bad_request("IMAGE_PROCESS_FAILED")
        caption, entities = _formatted(params, "caption", CAPTION_AT_MOST)
        return self._post(params, caption, entities, photo=content)

    async def _sendDocument(self, params: Params) -> Any:
        name, content = params.file("document")
        if len(content) > FILE_BYTES_AT_MOST:
            raise bad_request("file is too big")
        caption, entities = _formatted(params, "caption", CAPTION_AT_MOST)
        return self._post(params, caption, entities, document=(name, content))

    def _post(self, params: Params, text: str, entities: list[Json], **media: Any) -> Json:
        chat, keyboard = self._chat(params), params.keyboard()
        shown = ShownMessage(
            message_id=0,
            chat_id=chat,
            sender_id=BOT["id"],
            by_bot=True,
            text=text,
            date=self._people.now(),
            entities=entities,
            keyboard=keyboard,
            silent=params.flag("disable_notification"),
            **media,
        )
        return self._people.message_json(self._people.add(shown))

    async def _editMessageText(self, params: Params) -> Any:
        shown = self._own_message(params, "edited")
        if shown.photo is not None or shown.document is not None:
            raise bad_request("there is no text in the message to edit")
        text, entities = _formatted(params, "text", TEXT_AT_MOST)
        if not text.strip():
            raise bad_request("message text is empty")
        keyboard = params.keyboard()
        if (text, entities, keyboard) == (shown.text, shown.entities, shown.keyboard):
            raise bad_request(SAME)
        shown.text, shown.entities = text, entities
        return self._edited(shown, keyboard)

    async def _editMessageReplyMarkup(self, params: Params) -> Any:
        shown, keyboard = self._own_message(params, "edited"), params.keyboard()
        if keyboard == shown.keyboard:
            raise bad_request(SAME)
        return self._edited(shown, keyboard)

    def _edited(self, shown: ShownMessage, keyboard: Keyboard) -> Json:
        shown.show(keyboard)
        shown.edits += 1
        self._people.changes.changed()
        return self._people.message_json(shown)

    async def _answerCallbackQuery(self, params: Params) -> Any:
        pressed = self._people.presses.pop(params.text("callback_query_id"), None)
        if pressed is None or self._people.now() - pressed > ANSWERABLE:
            raise bad_request(TOO_OLD)
        if len(params.text("text")) > TOAST_AT_MOST:
            raise bad_request("MESSAGE_TOO_LONG")
        if params.text("text"):
            self._people.toasts.append(params.text("text"))
        self._people.changes.changed()
        return True

    async def _deleteMessage(self, params: Params) -> Any:
        if self._people.find(self._chat(params), params.number("message_id")) is None:
            raise bad_request("message to delete not found")
        self._people.remove(params.number("message_id"))
        return True

    async def _pinChatMessage(self, params: Params) -> Any:
        self._own_message(params, "pinned").pinned = True
        self._people.changes.changed()
        return True

    async def _setMessageReaction(self, params: Params) -> Any:
        shown = self._people.find(self._chat(params), params.number("message_id"))
        if shown is None:
            raise bad_request("message to react not found")
        shown.reaction = "".join(one.get("emoji", "") for one in params.parsed("reaction") or [])
        self._people.changes.changed()
        return True

    async def _sendChatAction(self, params: Params) -> Any:
        self._chat(params)
        return True

    async def _setMyCommands(self, params: Params) -> Any:
        commands: list[Json] = params.parsed("commands") or []
        for one in commands:
            if not COMMAND.fullmatch(one.get("command", "")):
                raise bad_request("BOT_COMMAND_INVALID")
            if not 1 <= len(one.get("description", "")) <= 256:
                raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        if len(commands) > 100:
            raise bad_request("BOT_COMMANDS_TOO_MUCH")
        self.commands[self._scope(params)] = commands
        self._people.changes.changed()
        return True

    async def _deleteMyCommands(self, params: Params) -> Any:
        self.commands.pop(self._scope(params), None)
        return True

    async def _getMyCommands(self, params: Params) -> Any:
        return self.commands.get(self._scope(params), [])

    def _scope(self, params: Params) -> str:
        scope: Json = params.parsed("scope") or {"type": "default"}
        if "chat_id" in scope:
            self._reachable(int(scope["chat_id"]))
        return json.dumps(scope, sort_keys=True)

    def _chat(self, params: Params) -> int:
        chat = params.number("chat_id")
        self._reachable(chat)
        if chat in self._people.blocked:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        return chat

    def _reachable(self, chat: int) -> None:
        if chat in self._people.strangers_to_bot:
            raise bad_request("chat not found")

    def _own_message(self, params: Params, verb: str) -> ShownMessage:
        shown = self._people.find(self._chat(params), params.number("message_id"))
        if shown is None:
            raise bad_request(f"message to {verb.removesuffix('ed')} not found")
        if not shown.by_bot:
            raise bad_request(f"message can't be {verb}")
        return shown


def _formatted(params: Params, name: str, at_most: int) -> tuple[str, list[Json]]:
    text, mode = params.text(name), params.text("parse_mode").lower()
    if mode not in {"", "html"}:
        raise bad_request(f"unsupported parse_mode {mode!r}: this sandbox reads HTML only")
    text, entities = parse_html(text) if mode else (text, [])
    if utf16(text) > at_most:
        raise bad_request("message is too long" if name == "text" else "message caption is too long")
    return text, entities
