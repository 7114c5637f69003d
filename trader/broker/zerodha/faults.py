"""What an answer of Kite means, or the lack of one (kite.md 2 and 12).

The kiteconnect package loses the status of a gateway's page, and breaks with KeyError or TypeError on
answers without a content type or an ``error_type``. ``check_answer`` sees each answer first and raises
``Answer`` with all of it. What was sent to place, change or cancel an order is refused only where Kite's own
words prove it; everything else after the first byte may have been accepted.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any

from trader.domain.errors import (
    BrokerError,
    BrokerUnavailable,
    LoginNeeded,
    MunimError,
    OrderNotSent,
    OrderRefused,
    OrdersBarred,
    OutcomeUnknown,
    TooManyRequests,
)

_SHOWN = 200  # characters of a foreign answer that are worth repeating
_TIMED_OUT = re.compile(r"timed out|check the order ?book|confirm before placing", re.IGNORECASE)
_TOO_MANY = re.compile(r"maximum allowed order|too many requests", re.IGNORECASE)
_COMMUNICATION = ("NetworkException", "DataException")  # Kite could not talk to its own order system


class Answer(Exception):
    """An answer that is no success. ``error_type`` is empty where Kite's own envelope was missing."""

    def __init__(self, status: int, error_type: str, words: str) -> None:
        super().__init__(words)
        self.status, self.error_type, self.words = status, error_type, words

    @property
    def token_dead(self) -> bool:
        return self.error_type == "TokenException"

    @property
    def too_many(self) -> bool:
        """Refused for the pace or the number of requests, if it is refused (``definite``)."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS or bool(_TOO_MANY.search(self.words))

    @property
    def definite(self) -> bool:
        """Proves that nothing was accepted."""
        if not self.error_type or _TIMED_OUT.search(self.words):
            return False
        if self.too_many:
            return True
        client_error = 400 <= self.status < 500 and self.status != HTTPStatus.REQUEST_TIMEOUT
        return client_error and self.error_type not in _COMMUNICATION


class NotSent(Exception):
    """The request never left this machine."""


class Overdue(Exception):
    """The request left, and its whole answer did not come in time."""


class RefusedForLogin(OrderRefused, LoginNeeded):
    """Not accepted, because the session is over: both consequences."""


class NotLoggedIn(OrderNotSent, LoginNeeded):
    """Nobody is logged in, so nothing was sent: both consequences."""


class RefusedAtTheDoor(OrderRefused):
    """Not accepted, as far as the status says; the book is to be looked at once (faults.md 8 and 10)."""


class TooManyAtTheDoor(RefusedAtTheDoor, TooManyRequests):
    """Not accepted, because it came too soon after others, or too many came before it."""


class BarredAtTheDoor(RefusedAtTheDoor, OrdersBarred):
    """Not accepted, and no other order would be: an address that is not registered, a segment that is not
    switched on."""


def check_answer(response: Any, *_args: object, **_named: object) -> None:
    """A hook of ``requests``, called with every answer, redirects too, before anybody reads it."""
    status, kind = int(response.status_code), str(response.headers.get("content-type", ""))
    if "csv" in kind and status == HTTPStatus.OK:
        return
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Answer(status, "", _page(response, kind))
    if status != HTTPStatus.OK or body.get("status") == "error" or body.get("error_type"):
        words = body.get("message")
        raise Answer(status, str(body.get("error_type") or ""), str(words or _page(response, kind)))
    if "json" not in kind or "data" not in body:
        raise Answer(status, "", f"an answer without {'data' if 'json' in kind else 'a content type'}")
    response.json = lambda **_: body  # not parsed twice


def order_fault(error: Exception) -> BrokerError:
    """Of a request that places, changes or cancels."""
    if isinstance(error, LoginNeeded) and not isinstance(error, OrderRefused):
        return NotLoggedIn(f"{error} Nothing was sent.")
    if isinstance(error, BrokerError):
        return error
    if isinstance(error, Answer):
        if error.token_dead:
            return RefusedForLogin(error.words)
        if error.definite and error.error_type == "PermissionException":
            return BarredAtTheDoor(error.words)
        if error.definite and error.too_many:
            return TooManyAtTheDoor(error.words)
        if error.definite and error.status == HTTPStatus.FORBIDDEN:
            return RefusedAtTheDoor(error.words)
        if error.definite:
            return OrderRefused(error.words)
        return OutcomeUnknown(f"Zerodha may have taken it: {error.words} (HTTP {error.status})")
    if isinstance(error, NotSent) or _never_connected(error):
        return OrderNotSent(f"Zerodha could not be reached ({plain(error)}). Nothing was sent.")
    return OutcomeUnknown(f"Zerodha may have taken it: {plain(error)}")


def read_fault(error: Exception, what: str) -> BrokerError:
    """Of a request that only reads ``what``."""
    if isinstance(error, BrokerError):
        return error
    if isinstance(error, Answer):
        if error.token_dead:
            return LoginNeeded(error.words)
        return BrokerUnavailable(f"Zerodha did not tell {what}: {error.words} (HTTP {error.status})")
    return BrokerUnavailable(f"Zerodha did not tell {what}: {plain(error)}")


def broke_off(error: Exception) -> bool:
    """The connection ended before an answer: a read may be asked once more."""
    from requests.exceptions import ChunkedEncodingError, ConnectionError, Timeout

    return isinstance(error, ConnectionError | ChunkedEncodingError) and not isinstance(error, Timeout)


def plain(error: BaseException) -> str:
    """In a few words, without addresses: those of ``requests`` are for programmers."""
    if isinstance(error, MunimError | Answer | NotSent | Overdue):
        return str(error)
    from requests import exceptions as ex

    for kind, words in (
        (ex.ConnectTimeout, "no connection in time"),
        (ex.ReadTimeout, "no answer in time"),
        (ex.ProxyError, "the proxy does not work"),
        (ex.SSLError, "no secure connection"),
        (ex.ChunkedEncodingError, "the answer broke off"),
    ):
        if isinstance(error, kind):
            return words
    if isinstance(error, ex.ConnectionError):
        return "no connection" if _never_connected(error) else "the connection broke"
    return f"an answer that makes no sense ({type(error).__name__})"


# -- within


def _never_connected(error: BaseException) -> bool:
    """``requests`` wraps urllib3's reason, and a proxy's wraps another one."""
    from ssl import SSLCertVerificationError

    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(seen) < 10:
        one = waiting.pop()
        if not isinstance(one, BaseException) or one in seen:
            continue
        if isinstance(one, ConnectTimeoutError | NewConnectionError | SSLCertVerificationError):
            return True
        seen.append(one)
        waiting += [*one.args, getattr(one, "reason", None), getattr(one, "original_error", None)]
    return False


def _page(response: Any, kind: str) -> str:
    """A gateway's page in its own words."""
    text = bytes(response.content).decode("utf-8", "replace")
    title = re.search(r"<title>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    words = " ".join((title.group(1) if title else re.sub(r"<[^>]*>", " ", text)).split())
    return words[:_SHOWN] or f"an empty answer of type {kind or 'unknown'}"
