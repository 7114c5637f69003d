"""Who may call: credentials, request tokens, the one live access token (kite.md 1)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox.kite.agenda import Agenda
from sandbox.kite.errors import Json, KiteError
from sandbox.kite.times import next_session_end, stamp

EXCHANGES = ["NSE", "NFO", "BFO", "CDS", "BSE", "MCX", "BCD", "MF"]
PRODUCTS = ["CNC", "NRML", "MIS", "BO", "CO"]
ORDER_TYPES = ["MARKET", "LIMIT", "SL", "SL-M"]


@dataclass(frozen=True, slots=True)
class Client:
    """The one client of this broker, and the one app registered for it. None of it opens anything real."""

    api_key: str = "sandboxkey000000"
    api_secret: str = "sandboxsecret00000000000000000000"  # noqa: S105 - of this server only
    user_id: str = "AB1234"
    password: str = "sandbox-password"  # noqa: S105 - of this server only
    totp_secret: str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105 - of this server only
    user_name: str = "Sandbox Client"
    redirect_url: str = "http://127.0.0.1/munim"


@dataclass(slots=True)
class Session:
    """``request_token_life`` in seconds; the real one lives "only a few minutes".

    ``data_plan`` False is the free app: no quotes, history or stream. ``checksum_error`` picks one of the
    two answers that are both reported for a wrong secret.
    """

    client: Client
    agenda: Agenda
    request_token_life: float = 180.0
    data_plan: bool = True
    checksum_error: tuple[int, str] = (403, "TokenException")
    access_token: str | None = None
    expires_at: datetime | None = None
    _request_tokens: dict[str, datetime] = field(default_factory=dict)

    def new_request_token(self) -> str:
        token = secrets.token_hex(16)
        self._request_tokens[token] = self.agenda.now + timedelta(seconds=self.request_token_life)
        return token

    def exchange_token(self, api_key: str, request_token: str, checksum: str) -> Json:
        """A request token is spent by the first try, whether it succeeds or not."""
        until = self._request_tokens.pop(request_token, None)
        if api_key != self.client.api_key:
            raise KiteError(403, "InputException", "Invalid `api_key`.")
        if until is None or until <= self.agenda.now:
            raise KiteError(403, "TokenException", "Token is invalid or has expired.")
        text = api_key + request_token + self.client.api_secret
        if not secrets.compare_digest(hashlib.sha256(text.encode()).hexdigest(), checksum):
            raise KiteError(*self.checksum_error, "Invalid `checksum`.")
        return self._details(self.grant())

    def grant(self) -> str:
        """A new access token; the one before it is dead from now on."""
        self.access_token = secrets.token_hex(16)
        self.expires_at = next_session_end(self.agenda.now)
        return self.access_token

    def kill(self) -> None:
        """As a master logout on the web does."""
        self.access_token = None

    def invalidate(self, access_token: str) -> bool:
        if not self.allows(self.client.api_key, access_token):
            raise KiteError(403, "TokenException", "Incorrect `api_key` or `access_token`.")
        self.kill()
        return True

    def allows(self, api_key: str, access_token: str) -> bool:
        if self.access_token is None or self.expires_at is None or self.agenda.now >= self.expires_at:
            return False
        return api_key == self.client.api_key and secrets.compare_digest(access_token, self.access_token)

    def allows_header(self, authorization: str) -> bool:
        """``token api_key:access_token``"""
        kind, _, rest = authorization.partition(" ")
        api_key, _, access_token = rest.partition(":")
        return kind == "token" and self.allows(api_key, access_token)

    def profile(self) -> Json:
        client = self.client
        return {
            "user_id": client.user_id,
            "user_type": "individual",
            "email": "client@sandbox.invalid",
            "user_name": client.user_name,
            "user_shortname": client.user_name.split()[0],
            "broker": "ZERODHA",
            "exchanges": EXCHANGES,
            "products": PRODUCTS,
            "order_types": ORDER_TYPES,
            "avatar_url": None,
            "meta": {"demat_consent": "physical"},
        }

    def _details(self, access_token: str) -> Json:
        return self.profile() | {
            "api_key": self.client.api_key,
            "access_token": access_token,
            "public_token": secrets.token_hex(16),
            "enctoken": secrets.token_hex(32),
            "refresh_token": "",
            "silo": "",
            "login_time": stamp(self.agenda.now),
        }
