"""Reading a call's parameters, which arrive as a query, a form, JSON or multipart."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.web_request import FileField

from sandbox.botapi.chat import Button, Keyboard
from sandbox.botapi.errors import Json, bad_request

BUTTONS_AT_MOST, DATA_BYTES_AT_MOST = 100, 64
STYLES = {"", "primary", "success", "danger"}


@dataclass(frozen=True, slots=True)
class Params:
    values: dict[str, Any]
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # field -> (file name, content)

    def text(self, name: str) -> str:
        value = self.values.get(name)
        return "" if value is None else str(value)

    def number(self, name: str, otherwise: int | None = None) -> int:
        value = self.values.get(name, otherwise)
        try:
            return int(value)  # type: ignore[arg-type]  # None is refused just below
        except (TypeError, ValueError):
            raise bad_request(f"{name} must be a number, was {value!r}") from None

    def flag(self, name: str) -> bool:
        return str(self.values.get(name, "")).lower() in {"true", "1"}

    def parsed(self, name: str) -> Any:
        """A nested value; forms carry it as JSON."""
        value = self.values.get(name)
        if not isinstance(value, str) or not value:
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise bad_request(f"can't parse {name} JSON object") from None

    def file(self, name: str) -> tuple[str, bytes]:
        """An upload, directly or through ``attach://``."""
        reference = self.text(name)
        found = self.files.get(reference.removeprefix("attach://")) or self.files.get(name)
        if found is None:
            raise bad_request(f"there is no {name} in the request")
        return found

    def keyboard(self) -> Keyboard:
        markup: Json = self.parsed("reply_markup") or {}
        rows = markup.get("inline_keyboard", [])
        keyboard = tuple(tuple(_button(button) for button in row) for row in rows)
        if sum(map(len, keyboard)) > BUTTONS_AT_MOST:
            raise bad_request("reply markup is too long")
        return tuple(row for row in keyboard if row)


def _button(body: Json) -> Button:
    button = Button(str(body.get("text", "")), str(body.get("callback_data", "")), str(body.get("style", "")))
    if not button.label.strip():
        raise bad_request("inline keyboard button text must be non-empty")
    if not 1 <= len(button.data.encode()) <= DATA_BYTES_AT_MOST:
        raise bad_request("BUTTON_DATA_INVALID")
    if button.style not in STYLES:
        raise bad_request(f"unsupported button style {button.style!r}")
    return button


async def read_params(request: web.Request) -> Params:
    values: dict[str, Any] = dict(request.query)
    files: dict[str, tuple[str, bytes]] = {}
    if request.content_type == "application/json":
        values |= await request.json()
    elif request.can_read_body:
        for name, value in (await request.post()).items():
            if isinstance(value, FileField):
                files[name] = (value.filename, value.file.read())
            else:
                values[name] = value
    return Params(values, files)
