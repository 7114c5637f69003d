"""The poll clock: the only sign of life that can be believed.

A 401 or 404 ends the library's poll task silently, and a half-open socket makes it time out for ever without
a word (both measured with 22.8). So the request class notes each good answer, and the supervisor watches the
time.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from telegram import Update
from telegram.request import HTTPXRequest

log = logging.getLogger(__name__)
CONNECTIONS = 4  # with 1, the default for getUpdates, one half-open socket blocks all polls
FATAL = {401, 404}  # after these the library never polls again


class PollClock(HTTPXRequest):
    """Made for one life of the bot and used for its getUpdates only."""

    def __init__(self, seconds: float, on_unreadable: Callable[[int], None]) -> None:
        super().__init__(
            connection_pool_size=CONNECTIONS,
            connect_timeout=seconds,
            read_timeout=seconds,
            write_timeout=seconds,
        )
        self._on_unreadable = on_unreadable
        self.last_good = time.monotonic()
        self.good = 0  # polls answered
        self.fatal: int | None = None

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        status, payload = await super().do_request(*args, **kwargs)
        if status in FATAL:
            self.fatal = status
        if status == 200 and (batch := _updates(payload)) is not None:
            self.last_good = time.monotonic()
            self.good += 1
            if sum(self._hollowed(update) for update in batch) > 0:  # sum, unlike any, looks at every one
                payload = json.dumps({"ok": True, "result": batch}).encode()
        return status, payload

    def _hollowed(self, update: dict[str, Any]) -> bool:
        """Leave only the number of an update the library can't parse.

        It would otherwise drop the whole batch, never acknowledge it and ask again at once, for ever, each
        time with the payload in the log.
        """
        try:
            Update.de_json(update, None)
        except Exception as error:
            number = update["update_id"]
            log.warning("Update %s can't be read (%s) and is skipped", number, type(error).__name__)
            update.clear()
            update["update_id"] = number
            self._on_unreadable(number)
            return True
        return False


def _updates(payload: bytes) -> list[dict[str, Any]] | None:
    """None unless it is the Bot API that answered: a captive portal says 200, too."""
    try:
        body = json.loads(payload)
        return list(body["result"]) if body["ok"] is True else None
    except (ValueError, KeyError, TypeError):
        return None
