"""The three calls of a session through the kiteconnect package, each in the caller's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trader.broker.zerodha.credentials import KiteCredentials
from trader.broker.zerodha.sdk import KiteClient, kite_client
from trader.domain.errors import BrokerUnavailable

SPENT = (
    "Zerodha does not take that link: it works once, for a few minutes, for the app it was made for. "
    "Open the link of /login again and send the new address at once."
)
WRONG_PAIR = (
    "Zerodha refused KITE_API_SECRET: it is not the secret of KITE_API_KEY. Copy both anew from "
    "developers.kite.trade, restart Munim, and open the link of /login again; the one you sent is used up."
)
WRONG_KEY = (
    "Zerodha knows no app with this KITE_API_KEY. Copy it anew from developers.kite.trade, restart Munim."
)
NOT_ENABLED = (
    "This Zerodha account may not use the app: at developers.kite.trade the app's client id must be the "
    "account that logs in."
)


class Refused(Exception):
    """Zerodha answered, and the answer is no; the text is for the owner."""


def exchange(credentials: KiteCredentials, root: str, *, request_token: str) -> dict[str, Any]:
    """The details of a new session, ``user_id`` and ``access_token`` among them. It ends the one before."""

    def call(client: KiteClient) -> Any:
        return client.generate_session(request_token=request_token, api_secret=credentials.api_secret)

    details = _ask(credentials, root, "", call, unanswered=(
        "Send the same address once more; if it is refused then, open the link of /login again."
    ))  # fmt: skip
    if not isinstance(details, dict) or not details.get("access_token") or not details.get("user_id"):
        raise BrokerUnavailable(
            "Zerodha's answer to the login holds no token. Open the link of /login again."
        )
    return details


def profile_of(credentials: KiteCredentials, root: str, *, access_token: str) -> dict[str, Any]:
    """Proves the token: any answer but a refusal of it raises BrokerUnavailable."""
    profile = _ask(credentials, root, access_token, lambda client: client.profile())
    if not isinstance(profile, dict):
        raise BrokerUnavailable("Zerodha's answer to a look at the profile could not be read. Try again.")
    return profile


def end_session(credentials: KiteCredentials, root: str, *, access_token: str) -> None:
    _ask(
        credentials,
        root,
        access_token,
        lambda client: client.invalidate_access_token(access_token=access_token),
    )


def _ask(
    credentials: KiteCredentials,
    root: str,
    access_token: str,
    call: Callable[[KiteClient], Any],
    unanswered: str = "Try again.",
) -> Any:
    client = kite_client(credentials.api_key, root, access_token=access_token)
    try:
        return call(client)
    except Exception as error:  # the package lets KeyError and TypeError out too (kite.md 2)
        fault = _fault(error, unanswered)
    finally:
        client.reqsession.close()
    raise fault


def _fault(error: Exception, unanswered: str) -> Exception:
    from kiteconnect.exceptions import KiteException, TokenException  # type: ignore[import-untyped]  # ships none
    from requests.exceptions import ConnectionError as NoConnection
    from requests.exceptions import RequestException

    if isinstance(error, RequestException):
        what = "could not be reached" if isinstance(error, NoConnection) else "did not answer in full"
        return BrokerUnavailable(f"Zerodha {what}. {unanswered}")
    code = getattr(error, "code", 0)
    if not isinstance(error, KiteException) or not 400 <= code < 500 or code == 429:
        # HTML, a cut body, an error without its type: a gateway spoke, or nobody who knows
        return BrokerUnavailable(f"Zerodha is out of order ({_kind(error, code)}). {unanswered}")
    words = str(error)
    if "checksum" in words:
        return Refused(WRONG_PAIR)
    if "not enabled" in words:
        return Refused(NOT_ENABLED)
    if "api_key" in words and "access_token" not in words:
        return Refused(WRONG_KEY)
    if isinstance(error, TokenException):
        return Refused(SPENT)
    return Refused(f"Zerodha refused the login: {words}")


def _kind(error: Exception, code: int) -> str:
    return f"status {code}" if code else f"an answer that cannot be read, {type(error).__name__}"
