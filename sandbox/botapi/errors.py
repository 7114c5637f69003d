"""A refusal as the Bot API words it."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    def __init__(self, code: int, description: str, parameters: Json | None = None) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters

    def payload(self) -> Json:
        body: Json = {"ok": False, "error_code": self.code, "description": self.description}
        return body | ({"parameters": self.parameters} if self.parameters else {})


def bad_request(what: str) -> ApiError:
    return ApiError(400, f"Bad Request: {what}")


CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
WORDS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}


def refusal(status: int, retry_after: int | None = None, description: str | None = None) -> ApiError:
    """The usual wording for a status; 429 carries ``retry_after`` seconds."""
    if status == 429:
        seconds = 1 if retry_after is None else retry_after
        words = description or f"Too Many Requests: retry after {seconds}"
        return ApiError(429, words, {"retry_after": seconds})
    if status == 409 and description is None:
        description = CONFLICT
    return ApiError(status, description or WORDS.get(status, "Internal Server Error"))
