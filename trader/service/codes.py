"""One-time codes of the owner's authenticator, asked before real money is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from trader.domain.errors import InvalidInput

STEP = 30  # seconds a code is shown (RFC 6238)
MOST_WRONG = 5  # guesses in a row, and then none for a while
LOCKED_FOR = timedelta(minutes=10)


class OneTimeCodes:
    """``now`` is the world's time, aware: an authenticator knows no other. A code is good once, and for one
    step on either side of its own."""

    def __init__(self, secret: str, now: Callable[[], datetime]) -> None:
        self._secret = secret
        self._now = now
        self._last_step = -1
        self._wrong: deque[datetime] = deque(maxlen=MOST_WRONG)

    def check(self, code: str) -> None:
        """Raises InvalidInput unless the code is right and new."""
        import pyotp  # needed by live desks only

        now = self._now()
        if len(self._wrong) == MOST_WRONG:
            until = self._wrong[-1] + LOCKED_FOR
            if now < until:
                raise InvalidInput(f"{MOST_WRONG} wrong codes: none is taken before {until:%H:%M}.")
            self._wrong.clear()
        plain = code.replace(" ", "")
        totp = pyotp.TOTP(self._secret)
        step = int(now.timestamp()) // STEP
        for near in (step, step - 1, step + 1):
            right = plain.isascii() and pyotp.utils.strings_equal(totp.at(near * STEP), plain)
            if right and near > self._last_step:
                self._last_step = near
                self._wrong.clear()
                return
            if right:
                raise InvalidInput("That code was used already; wait for the next one.")
        self._wrong.append(now)
        left = MOST_WRONG - len(self._wrong)
        raise InvalidInput(f"The code is wrong. {left} more {'try' if left == 1 else 'tries'}.")
