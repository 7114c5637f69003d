"""The broker's session: begun by a pasted link or by itself, kept encrypted, over at 06:00 or before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from trader.broker.zerodha.attempts import Attempts
from trader.broker.zerodha.credentials import KiteCredentials, KiteEndpoints
from trader.broker.zerodha.exchange import Refused, end_session, exchange, profile_of
from trader.broker.zerodha.pasted import request_token_in
from trader.broker.zerodha.record import Login, Record, end_of_token
from trader.broker.zerodha.vault import TokenStore, TokenVault
from trader.domain.errors import BrokerError, BrokerUnavailable, LedgerError, LoginNeeded
from trader.domain.times import clock_text

log = logging.getLogger(__name__)

PATIENCE = 15.0  # seconds for a whole answer

Call = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class SessionState:
    """``until``: 06:00 IST, if nothing ends it before. ``reason``: why it is not valid, and what to do."""

    valid: bool
    user_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    reason: str = ""


class KiteSession:
    """One for the process; whatever talks to Zerodha asks it for the token at each call.

    ``now`` is aware; ``sleep`` takes seconds. ``on_change`` hears every new state once, on the caller's
    thread, and must not block. Logins wait for each other. All of it belongs to one event loop.
    """

    def __init__(
        self,
        credentials: KiteCredentials,
        endpoints: KiteEndpoints,
        store: TokenStore,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
        on_change: Callable[[SessionState], None],
    ) -> None:
        self.credentials = credentials
        self.endpoints = endpoints
        self._store = store
        self._vault = TokenVault(credentials.api_key, credentials.api_secret)
        self._now = now
        self._sleep = sleep
        self._on_change = on_change
        self._record: Record | None = None  # None: not read yet
        self._token = ""
        self._gone = ""  # the token that was lost here: it is not to be tried again
        self._state = SessionState(valid=False, reason="Nobody has logged in to Zerodha yet. /login begins.")
        self._busy = asyncio.Lock()

    # -- what is so now ---------------------------------------------------------------------------------

    @property
    def state(self) -> SessionState:
        """Looked at after 06:00 it is over, and ``on_change`` hears of it."""
        if self._state.until is not None and self._now() >= self._state.until:
            self._end("Zerodha ends every session at 06:00. /login begins the new day's.")
        return self._state

    @property
    def access_token(self) -> str:
        """Raises LoginNeeded. Secret: never to be logged or told."""
        if not self.state.valid:
            raise LoginNeeded(self._state.reason)
        return self._token

    def login_link(self) -> str:
        """Where the owner logs in; it may be shown in chat."""
        return self.endpoints.login_link(self.credentials)

    # -- how it begins ----------------------------------------------------------------------------------

    async def restore(self) -> bool:
        """Take up the session of the process before this one, if Zerodha still takes its token.

        BrokerUnavailable: Zerodha did not say; ask again, for a login now could be one too many. LedgerError.
        """
        async with self._busy:
            return self.state.valid or await self._take_up()

    async def login(self, pasted: str) -> SessionState:
        """``pasted``: the whole address the browser ended at, or the request token in it.

        InvalidInput: neither is in the text. LoginNeeded: Zerodha refused it. BrokerUnavailable: no answer.
        Each says what to do next.
        """
        token = request_token_in(pasted, self.credentials)
        async with self._busy:
            return await self._take(token, by_hand=True)

    async def login_automatically(self) -> SessionState:
        """With password and one-time code. A session that is valid is left alone, for a login would end it;
        so is the stored one while Zerodha takes it.

        LoginNeeded: refused, or not to be tried now. BrokerUnavailable: no answer, try again later.
        """
        from trader.broker.zerodha.login import AutomaticLogin  # aiohttp comes with it

        async with self._busy:
            if self.state.valid or await self._take_up():
                return self._state
            attempts = (await self._read()).attempts
            way = AutomaticLogin(self.credentials, self.endpoints, self._now, self._sleep, self._note)
            return await self._take(await way.request_token(attempts), by_hand=False)

    async def logged_out(self) -> bool:
        """Whether the owner ended the last session, in this process or one before it. LedgerError."""
        return (await self._read()).logged_out

    # -- how it ends ------------------------------------------------------------------------------------

    async def logout(self) -> None:
        """BrokerUnavailable: forgotten here, but Zerodha could not be told. LedgerError."""
        async with self._busy:
            token = self._token
            self._end("Logged out. /login begins a new session.")
            await self._keep(replace(await self._read(), login=None, logged_out=True))
            if not token:
                return
            try:
                await self._ask(end_session, access_token=token)
            except LoginNeeded:
                log.info("The Kite session was over already when it was to be ended")
            except BrokerUnavailable as fault:
                raise BrokerUnavailable(
                    f"Munim has forgotten its session, but could not end it at Zerodha: {fault} It ends by "
                    "itself at 06:00; to end it now, log out of all devices in Kite."
                ) from None

    def lost(self, reason: str, *, token: str | None = None) -> None:
        """Zerodha refused the token, in its words ``reason``. Many calls may find out: the first counts.
        ``token``: the one that was refused; news about an older one is passed over."""
        state = self.state
        if not state.valid or (token is not None and token != self._token):
            return
        log.warning("Zerodha no longer takes the session of %s: %s", state.user_id, self._hide(reason))
        self._end(
            "The session ended before its time: another login with the same app, or a logout in Kite. /login "
            f"takes it back, and ends the other one. Zerodha said: {self._hide(reason)}"
        )

    # -- inside -----------------------------------------------------------------------------------------

    async def _take_up(self) -> bool:
        """Go on with the stored session, unless this process has seen its end."""
        login = (await self._read()).login
        if login is None or login.access_token == self._gone:
            return False
        if self._now() >= login.until:
            self._end(f"The session of {login.user_id} ended at 06:00. /login begins a new one.")
            return False
        try:
            profile = await self._ask(profile_of, access_token=login.access_token)
        except LoginNeeded:
            self._end(_ended_early(login))
            return False
        try:
            self._check_user(str(profile.get("user_id", "")))
        except LoginNeeded as fault:
            self._end(str(fault))
            return False
        self._begin(login)
        return True

    async def _take(self, request_token: str, *, by_hand: bool) -> SessionState:
        record = await self._read()
        details = await self._ask(exchange, request_token=request_token)
        since = self._now()
        login = Login(str(details["user_id"]), str(details["access_token"]), since, end_of_token(since))
        try:
            self._check_user(login.user_id)
        except LoginNeeded:
            with suppress(BrokerError):
                await self._ask(end_session, access_token=login.access_token)
            raise
        self._begin(login)
        attempts = record.attempts.let_in() if by_hand else record.attempts
        try:
            kept = self._record or record
            await self._keep(replace(kept, login=login, attempts=attempts, logged_out=False))
        except LedgerError:
            log.exception("The Kite session could not be stored: it works, but ends with this process")
        return self._state

    def _check_user(self, user_id: str) -> None:
        wanted = self.credentials.user_id
        if wanted and user_id.upper() != wanted.upper():
            raise LoginNeeded(
                f"That login is {user_id or 'nobody'}'s, but KITE_USER_ID is {wanted}; it is not "
                f"taken. Log out of Kite in the browser, open the link of /login again, log in as {wanted}."
            )

    async def _ask(self, call: Call, **named: str) -> Any:
        """``call`` in a thread. Raises LoginNeeded or BrokerUnavailable, without the package's own error
        behind it: that may hold the token."""
        fault: Exception
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.to_thread(call, self.credentials, self.endpoints.api, **named)
        except TimeoutError:  # the package knows a limit for each read only; the thread ends with the line
            fault = BrokerUnavailable(f"Zerodha did not answer in full within {PATIENCE:.0f} s. Try again.")
        except Refused as refusal:
            fault = LoginNeeded(self._hide(str(refusal)))
        except BrokerUnavailable as outage:
            fault = BrokerUnavailable(self._hide(str(outage)))
        raise fault

    def _begin(self, login: Login) -> None:
        self._token = login.access_token
        log.info("Logged in to Zerodha as %s until %s", login.user_id, clock_text(login.until))
        self._change(SessionState(True, login.user_id, login.since, login.until))

    def _end(self, reason: str) -> None:
        self._gone = self._token or self._gone
        self._token = ""
        self._change(SessionState(valid=False, user_id=self._state.user_id, reason=reason))

    def _change(self, state: SessionState) -> None:
        if state != self._state:
            self._state = state
            self._on_change(state)

    async def _read(self) -> Record:
        if self._record is None:
            text = await self._store.read()
            self._record = Record.of_text(self._vault.decrypt(text) if text else None)
        return self._record

    async def _keep(self, record: Record) -> None:
        self._record = record
        await self._store.write(self._vault.encrypt(record.to_text()))

    async def _note(self, attempts: Attempts) -> None:
        await self._keep(replace(await self._read(), attempts=attempts))

    def _hide(self, text: str) -> str:
        text = self.credentials.hide(text)
        return text.replace(self._token, "…") if self._token else text


def _ended_early(login: Login) -> str:
    return (
        f"Zerodha no longer takes the session of {login.user_id} from {clock_text(login.since)}: another "
        "login with the same app, or a logout in Kite. /login begins a new one."
    )


__all__ = ["KiteCredentials", "KiteEndpoints", "KiteSession", "SessionState", "TokenStore"]
