"""A thread that looks whether the event loop comes round, for whoever blocks it blocks every brake as well: a
strategy that does not come back from a bar leaves no exit, no square-off and no /kill (faults.md 40).

It writes down where the loop stands, and has the desk halted when it goes on. One that stands for minutes
ends the process: the next start is HALTED, reads the broker's book and can be talked to.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

LOOK = 1.0  # seconds
BLOCKED, HOPELESS = 10, 120  # looks in a row at which the loop has not moved
EXIT_CODE = 70  # "internal software error", sysexits.h


def _end() -> None:
    os._exit(EXIT_CODE)


class Watchdog:
    """``blocked`` is called on the loop, with a sentence, when it goes on. ``run`` it as a task of that loop.

    What is counted are looks and not seconds: while the whole process is stopped, or the machine sleeps, the
    thread looks as little as the loop turns.
    """

    def __init__(
        self, blocked: Callable[[str], None], *, look: float = LOOK, end: Callable[[], None] = _end
    ) -> None:
        self._blocked = blocked
        self._look = look
        self._end = end
        self._turns = 0
        self._where = ""  # it stood when it was found
        self._looks = 0  # so many that it did not move
        self._over = threading.Event()

    async def run(self) -> None:
        """Until cancelled."""
        thread = threading.Thread(
            target=self._watch, args=(threading.get_ident(),), name="watchdog", daemon=True
        )
        thread.start()
        try:
            while True:
                self._turns += 1
                if self._where:
                    where, self._where = self._where, ""
                    seconds = self._looks * self._look
                    self._blocked(
                        f"It stood still for {seconds:.0f} s, in {where}; the log has the whole stack."
                    )
                await asyncio.sleep(self._look)
        finally:
            self._over.set()

    def _watch(self, loop: int) -> None:
        turns, looks = -1, 0
        while not self._over.wait(self._look):
            looks = looks + 1 if self._turns == turns else 0
            turns = self._turns
            if looks < BLOCKED:
                continue
            self._looks = looks
            if looks == BLOCKED:
                self._where = self._write_down(loop)
            elif looks == HOPELESS:
                log.critical("the loop does not come back: the process ends, and starts HALTED")
                self._end()

    def _write_down(self, loop: int) -> str:
        frame = sys._current_frames().get(loop)
        if frame is None:
            return "an unknown place"
        stack = traceback.extract_stack(frame)
        log.critical("the loop stands still:\n%s", "".join(stack.format()))
        last = stack[-1]
        return f"{Path(last.filename).name}, line {last.lineno}"
