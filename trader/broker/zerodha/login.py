"""Logging in without a hand, as carefully as an account that locks wants it (kite.md 1.2).

An attempt is written down before it is made, so that a process that dies and comes back cannot make more of
them than one that lives.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from trader.broker.zerodha.attempts import BY_LINK, Attempts
from trader.broker.zerodha.credentials import KiteCredentials, KiteEndpoints
from trader.broker.zerodha.exchange import NOT_ENABLED, WRONG_KEY
from trader.broker.zerodha.pages import Fault, LoginPages, LoginRefused, NotJudged
from trader.broker.zerodha.totp import check_secret, fresh_code
from trader.domain.errors import BrokerUnavailable, InvalidInput, LedgerError, LoginNeeded

log = logging.getLogger(__name__)

LOOKS_BACK = 3  # at the way back to the app: reading it again costs nothing, another login would
CLOCK_TOLERANCE = 20.0  # seconds; beyond, codes are wrong
LONGEST_SKEW = 86_400.0  # seconds; beyond, ours is a rehearsal's clock
LEAST_REMAINING = 2  # tries that Zerodha must still allow for one of ours

UNTIL_THEN = "Munim tries no more by itself until you have logged in by link."


class AutomaticLogin:
    """``note`` keeps the attempts across restarts; where it fails nothing is tried."""

    def __init__(
        self,
        credentials: KiteCredentials,
        endpoints: KiteEndpoints,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
        note: Callable[[Attempts], Awaitable[None]],
    ) -> None:
        self._credentials = credentials
        self._endpoints = endpoints
        self._now = now
        self._sleep = sleep
        self._note = note
        self._attempts = Attempts()

    async def request_token(self, attempts: Attempts) -> str:
        """Raises LoginNeeded (not now, and why) or BrokerUnavailable (no answer; try again later)."""
        self._check_settings()
        self._attempts = attempts.at(self._now(), self._credentials.mark)
        while True:
            if obstacle := self._attempts.obstacle:
                raise LoginNeeded(obstacle)
            try:
                return await self._try()
            except LoginRefused as refusal:
                log.warning("Zerodha refused the login (%s)", refusal.fault)
                if refusal.fault is not Fault.CODE or self._hopeless(refusal):
                    raise LoginNeeded(self._sentence(refusal)) from None

    def _check_settings(self) -> None:
        own = self._credentials
        wanted = {"USER_ID": own.user_id, "PASSWORD": own.password, "TOTP_SECRET": own.totp_secret}
        if missing := [f"KITE_{name}" for name, value in wanted.items() if not value]:
            raise LoginNeeded(f"To log in by itself Munim needs {' and '.join(missing)}. {BY_LINK}")
        try:
            check_secret(own.totp_secret)
        except InvalidInput as fault:
            raise LoginNeeded(f"{fault} {BY_LINK}") from None

    async def _try(self) -> str:
        async with LoginPages(self._credentials, self._endpoints) as pages:
            await pages.arrive()
            await self._begin()
            try:
                await self._enter(pages)
            except NotJudged:
                await self._write(self._attempts.taken_back())
                raise
            except LoginRefused as refusal:
                await self._write(self._after(refusal))
                raise
            await self._write(self._attempts.let_in())
            return await self._way_back(pages)

    async def _begin(self) -> None:
        before = self._attempts
        try:
            await self._write(before.begun())
        except LedgerError:
            with suppress(LedgerError):  # whoever keeps them may have counted it before it was written
                await self._write(before)
            raise

    async def _enter(self, pages: LoginPages) -> None:
        factor = await pages.password()
        code = await fresh_code(
            self._credentials.totp_secret, self._attempts.last_step, self._now, self._sleep
        )
        await self._write(self._attempts.sent(code.step))
        await pages.code(factor, code)

    async def _way_back(self, pages: LoginPages) -> str:
        for _ in range(LOOKS_BACK - 1):
            try:
                return await pages.request_token()
            except BrokerUnavailable:
                await self._sleep(1.0)
        return await pages.request_token()

    async def _write(self, attempts: Attempts) -> None:
        self._attempts = attempts
        await self._note(attempts)

    def _after(self, refusal: LoginRefused) -> Attempts:
        if refusal.fault is Fault.SECOND_FACTOR:
            return self._attempts  # the password was right, and no code was sent
        halts = _near_the_lock(refusal) or refusal.fault is not Fault.CODE
        return self._attempts.turned_down(halted=self._sentence(refusal) if halts else "")

    def _hopeless(self, refusal: LoginRefused) -> bool:
        """Whether another code would be refused too, or may not be sent."""
        return bool(self._attempts.obstacle) or self._skew(refusal) != 0.0

    def _skew(self, refusal: LoginRefused) -> float:
        """Seconds Zerodha's clock is ahead of ours; 0 when that is no reason for a wrong code."""
        if refusal.date is None:
            return 0.0
        ahead = (refusal.date - self._now()).total_seconds()
        return ahead if CLOCK_TOLERANCE < abs(ahead) < LONGEST_SKEW else 0.0

    def _sentence(self, refusal: LoginRefused) -> str:
        words = self._credentials.hide(refusal.words)
        if _near_the_lock(refusal) and refusal.fault in {Fault.CODE, Fault.PASSWORD}:
            return f"Zerodha refused the login and is about to lock the account ({words}). {UNTIL_THEN}"
        match refusal.fault:
            case Fault.CODE:
                return f"Zerodha refused the one-time code. {self._why_code(refusal)} {BY_LINK}"
            case Fault.PASSWORD:
                return (
                    f"Zerodha refused KITE_USER_ID or KITE_PASSWORD ({words}). Munim tries no more by "
                    "itself until one of them is changed or you have logged in by link."
                )
            case Fault.LOCKED:
                return (
                    f"Zerodha has locked the account ({words}). Unlock it at kite.zerodha.com. {UNTIL_THEN}"
                )
            case Fault.CAPTCHA:
                return f"Zerodha asks for a captcha, which only a person can solve. {UNTIL_THEN}"
            case Fault.SECOND_FACTOR:
                return (
                    f"Zerodha asks for {words} as second factor, which is on your phone only. Switch on "
                    f"external TOTP in Kite (My profile, Password & Security). {BY_LINK}"
                )
            case Fault.CONSENT:
                return (
                    "Zerodha wants you to authorise the app once, in a browser: open the link of /login, "
                    "log in, press Authorise, and send the address it ends at. From then on Munim "
                    "logs in by itself."
                )
            case Fault.NOT_ENABLED:
                return NOT_ENABLED
            case Fault.WRONG_KEY:
                return WRONG_KEY
            case Fault.OTHER:
                return f"Zerodha refused the login: {words or 'no reason given'}. {BY_LINK}"

    def _why_code(self, refusal: LoginRefused) -> str:
        if skew := self._skew(refusal):
            side = "behind" if skew > 0 else "ahead of"
            return (
                f"This machine's clock is {abs(skew):.0f} s {side} Zerodha's, and codes depend on it: "
                "correct it (timedatectl set-ntp true)."
            )
        tries, part = self._attempts.used, self._attempts.part.split()[-1]
        return (
            f"That was attempt {tries} this {part}, and Munim makes no third, for the account could "
            "be locked. Check KITE_TOTP_SECRET and this machine's clock."
        )


def _near_the_lock(refusal: LoginRefused) -> bool:
    return refusal.remaining is not None and refusal.remaining < LEAST_REMAINING
