"""The worker process: one piece of work from its standard input, JSON lines on its standard output.

``service.research`` starts it. What it is asked can take all of a core for minutes, so it steps behind the
desk; and Python's own output is kept apart from its answers.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from typing import Any, TextIO

from trader.domain.errors import MunimError

NICE = 15  # of 19: the desk goes first wherever both want the same core
TELL_EVERY = 0.5  # seconds
LOOK_EVERY = 2.0  # seconds between two looks whether the desk is still there


class Teller:
    """At most one line of progress in ``TELL_EVERY``, whatever the work does."""

    def __init__(self, answers: TextIO) -> None:
        self._answers = answers
        self._told = 0.0
        self._text = ""

    def __call__(self, done: int, total: int, text: str) -> None:
        now = time.monotonic()
        if now - self._told < TELL_EVERY and (total or text == self._text):
            return
        self._told, self._text = now, text
        self.answer(done=done, total=total, text=text)

    def answer(self, **what: Any) -> None:
        self._answers.write(json.dumps(what) + "\n")
        self._answers.flush()


def end_with_the_desk() -> None:
    """A desk that was killed cannot end its worker, and a search goes on for hours: it looks for itself."""
    desk = os.getppid()

    def watch() -> None:
        while os.getppid() == desk:
            time.sleep(LOOK_EVERY)
        os._exit(1)

    threading.Thread(target=watch, name="desk", daemon=True).start()


def main() -> int:
    end_with_the_desk()
    with contextlib.suppress(OSError):
        os.nice(NICE)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is for the log
    teller = Teller(answers)
    from trader.backtest.work import Work, do

    try:
        outcome = do(Work.read(json.load(sys.stdin)), teller)
    except MunimError as e:
        teller.answer(refused=str(e))
        return 0
    teller.answer(result=outcome.written())
    return 0


if __name__ == "__main__":
    sys.exit(main())
