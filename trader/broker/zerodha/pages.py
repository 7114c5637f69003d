"""Zerodha's login pages as a browser sees them (kite.md 1.2). Undocumented: the unknown ends the login."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from socket import AF_INET
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import aiohttp

from trader.broker.zerodha.credentials import LOOPBACK, KiteCredentials, KiteEndpoints
from trader.broker.zerodha.pasted import TOKEN_IN_ADDRESS
from trader.broker.zerodha.totp import OneTimeCode
from trader.domain.errors import BrokerUnavailable, LoginNeeded

BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
PATIENCE = aiohttp.ClientTimeout(total=15, connect=7)
LONGEST_WAY = 8  # redirects; two were seen
LOCK_WORDS = ("locked", "blocked", "suspended", "disabled", "too many", "exceeded", "maximum")
NO_CODES = frozenset({"app_code", "sms"})  # second factors that only a phone has


class Step(StrEnum):
    PASSWORD = "password"  # noqa: S105 - a name
    CODE = "code"
    WAY = "way"  # back to the app


class Fault(StrEnum):
    PASSWORD = "password"  # noqa: S105 - a name
    CODE = "code"
    LOCKED = "locked"
    CAPTCHA = "captcha"
    CONSENT = "consent"
    NOT_ENABLED = "not_enabled"
    SECOND_FACTOR = "second_factor"  # of a kind Munim has not got
    WRONG_KEY = "wrong_key"
    OTHER = "other"


class LoginRefused(LoginNeeded):
    """Zerodha judged, and said no. ``remaining``: tries before the lock; ``date``: its clock; if it told."""

    def __init__(
        self, fault: Fault, words: str, remaining: int | None = None, date: datetime | None = None
    ) -> None:
        super().__init__(words)
        self.fault, self.words, self.remaining, self.date = fault, words, remaining, date


class NotJudged(BrokerUnavailable):
    """The try cannot count against the account: it never arrived, or only a gateway saw it."""


@dataclass(frozen=True, slots=True)
class SecondFactor:
    request_id: str = field(repr=False)
    kind: str  # to be sent back as it came


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    location: str  # of a redirect, whole; may hold the request token
    body: Mapping[str, Any] | None  # None: not JSON
    date: datetime | None


class LoginPages:
    """One visit with its own cookies: ``arrive``, ``password``, ``code``, ``request_token``, in this order.

    Each raises LoginRefused, NotJudged or BrokerUnavailable (nobody knows whether it was judged).
    """

    def __init__(self, credentials: KiteCredentials, endpoints: KiteEndpoints) -> None:
        self._credentials = credentials
        self._root = endpoints.login
        self._link = endpoints.login_link(credentials)
        # Connections are not kept: one that dies unseen while a code is waited for would lose the code.
        local = urlsplit(self._root).hostname in LOOPBACK
        self._web = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(family=AF_INET, force_close=True),
            cookie_jar=aiohttp.CookieJar(unsafe=local),  # unsafe: cookies of hosts that are numbers
            headers={"User-Agent": BROWSER, "Accept": "application/json, text/html;q=0.9, */*;q=0.8"},
            timeout=PATIENCE,
            trust_env=not local,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._web.close()

    async def arrive(self) -> None:
        """Shows a wrong app or an outage before any try is spent."""
        await self._follow(self._link)

    async def password(self) -> SecondFactor:
        own = self._credentials
        answer = await self._ask(
            "POST", f"{self._root}/api/login", Step.PASSWORD, user_id=own.user_id, password=own.password
        )
        data = _data(answer)
        if data.get("captcha"):
            raise LoginRefused(Fault.CAPTCHA, "captcha")
        kind, request_id = data.get("twofa_type"), data.get("request_id")
        if not kind or not request_id:
            raise LoginRefused(Fault.OTHER, "the login page has changed")
        if kind in NO_CODES:
            raise LoginRefused(Fault.SECOND_FACTOR, str(kind))
        return SecondFactor(str(request_id), str(kind))

    async def code(self, factor: SecondFactor, code: OneTimeCode) -> None:
        await self._ask(
            "POST", f"{self._root}/api/twofa", Step.CODE, user_id=self._credentials.user_id,
            request_id=factor.request_id, twofa_value=code.digits, twofa_type=factor.kind,
        )  # fmt: skip

    async def request_token(self) -> str:
        """Ends before the app's own address, which is never visited."""
        last = await self._follow(self._link)
        if found := TOKEN_IN_ADDRESS.search(last):
            return found[1]
        where = urlsplit(last).path
        if where.startswith("/connect/authorize"):
            raise LoginRefused(Fault.CONSENT, "consent")
        raise LoginRefused(Fault.OTHER, f"the login ended at {where or 'no page'} without a request token")

    async def _follow(self, link: str) -> str:
        """The address of the last page, or the first one outside."""
        for _ in range(LONGEST_WAY):
            answer = await self._ask("GET", link, Step.WAY)
            if not answer.location:
                return link
            link = answer.location
            if TOKEN_IN_ADDRESS.search(link) or not link.startswith(f"{self._root}/"):
                return link
        raise LoginRefused(Fault.OTHER, "the login pages lead in a circle")

    async def _ask(self, method: str, link: str, step: Step, **form: str) -> Answer:
        outage: BrokerUnavailable
        try:
            async with self._web.request(method, link, data=form or None, allow_redirects=False) as response:
                answer = _read(response, link, await response.read())
        except aiohttp.ClientConnectorError:
            outage = NotJudged("Zerodha's login page could not be reached.")
        except (aiohttp.ClientError, TimeoutError, OSError):
            outage = BrokerUnavailable("Zerodha's login page did not answer.")
        else:
            _judge(answer, step)
            return answer
        raise outage  # here, for the library's error holds the address


def _read(response: aiohttp.ClientResponse, link: str, body: bytes) -> Answer:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    date = response.headers.get("Date", "")
    try:
        at = parsedate_to_datetime(date) if date else None
    except ValueError:
        at = None
    location = response.headers.get("Location", "") if 300 <= response.status < 400 else ""
    return Answer(
        response.status,
        urljoin(link, location) if location else "",
        found if isinstance(found, dict) else None,
        at if at is not None and at.tzinfo is not None else None,
    )


def _judge(answer: Answer, step: Step) -> None:
    """Returns when the step succeeded."""
    if answer.status >= 500:
        raise NotJudged(f"Zerodha's login page is out of order (status {answer.status}).")
    if answer.status == 429:
        raise BrokerUnavailable("Zerodha's login page says there were too many requests.")
    body = answer.body
    if body is None:
        if step is Step.WAY and answer.status < 400:
            return  # pages are HTML, and redirects have none
        raise NotJudged(f"Zerodha's login page answered with another page (status {answer.status}).")
    if answer.status >= 400 or body.get("status") == "error":
        raise _refusal(answer, body, step)


def _refusal(answer: Answer, body: Mapping[str, Any], step: Step) -> LoginRefused:
    words, data = str(body.get("message", "")), _data(answer)
    remaining = data.get("attempts_remaining")
    fault = _fault(words.lower(), str(body.get("error_type", "")), step, captcha=bool(data.get("captcha")))
    return LoginRefused(fault, words, remaining if isinstance(remaining, int) else None, answer.date)


def _fault(words: str, error_type: str, step: Step, *, captcha: bool) -> Fault:
    """The words are all there is to tell them by: every refusal comes as one of three types."""
    if captcha or "captcha" in words:
        return Fault.CAPTCHA
    if any(word in words for word in LOCK_WORDS):
        return Fault.LOCKED
    if "not enabled" in words:
        return Fault.NOT_ENABLED
    if "api_key" in words:
        return Fault.WRONG_KEY
    if step is Step.CODE and (error_type == "TwoFAException" or "otp" in words):
        return Fault.CODE
    if step is Step.PASSWORD and ("password" in words or "user" in words):
        return Fault.PASSWORD
    return Fault.OTHER


def _data(answer: Answer) -> Mapping[str, Any]:
    data = (answer.body or {}).get("data")
    return data if isinstance(data, dict) else {}
