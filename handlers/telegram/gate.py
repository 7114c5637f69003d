"""Who gets in. One place for every kind of update, closed when in doubt.

Not a handler in an early group: when such a handler raises, the library runs the later groups all the same
and a stranger's /kill executes (measured with 22.8). An update processor decides before any handler is asked.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from telegram import Update
from telegram.ext import BaseUpdateProcessor

from handlers.message import Incoming
from handlers.telegram.incoming import read_update

log = logging.getLogger(__name__)
AT_ONCE = 8  # with 1, the library's default, an exception in here would stop it from fetching updates at all


class Gate(BaseUpdateProcessor):
    def __init__(
        self,
        allows: Callable[[Incoming], bool],
        refused: Callable[[Incoming], None],
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(AT_ONCE)
        self._allows, self._refused, self._now = allows, refused, now

    async def initialize(self) -> None:
        """Nothing to prepare."""

    async def shutdown(self) -> None:
        """Nothing to let go of."""

    async def do_process_update(self, update: object, coroutine: Awaitable[Any]) -> None:
        if not self._lets_in(update):
            if inspect.iscoroutine(coroutine):
                coroutine.close()
            return
        try:
            await coroutine
        except Exception:
            log.exception("An update went wrong")

    def _lets_in(self, update: object) -> bool:
        try:
            incoming = read_update(update, self._now()) if isinstance(update, Update) else None
            if incoming is None:
                return False
            if self._allows(incoming) is True:  # nothing merely truthy opens this door
                return True
            self._refused(incoming)
        except Exception:
            log.exception("The gate failed; the update is refused")
        return False
