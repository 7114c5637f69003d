"""Who logs in, and where. Nothing here prints a secret."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from urllib.parse import urlencode, urlsplit

from trader.domain.errors import InvalidInput

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
APP_MARK = "munim"  # the name of what our login link sends along and Zerodha sends back


@dataclass(frozen=True, slots=True)
class KiteCredentials:
    """The app's key and secret; the last three only where Munim is to log in by itself."""

    api_key: str
    api_secret: str = field(repr=False)
    user_id: str = ""
    password: str = field(default="", repr=False)
    totp_secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        missing = [f"KITE_{name.upper()}" for name in ("api_key", "api_secret") if not getattr(self, name)]
        if missing:
            raise InvalidInput(
                f"{' and '.join(missing)} must be set to log in to Zerodha; both are on the app's page at "
                "developers.kite.trade."
            )

    @property
    def automatic(self) -> bool:
        """Whether a login needs nobody's hand."""
        return bool(self.user_id and self.password and self.totp_secret)

    @property
    def app_mark(self) -> str:
        """Tells links of this app from those of another; nobody gets the key from it."""
        return hashlib.sha256(self.api_key.encode()).hexdigest()[:8]

    @property
    def mark(self) -> str:
        """Changes with whatever a login by itself uses: then a new try is a different try."""
        used = "\0".join((self.user_id, self.password, self.totp_secret))
        return hashlib.sha256(used.encode()).hexdigest()[:16]

    def hide(self, text: str) -> str:
        """``text`` without the secrets that somebody else may have put into it."""
        for secret in {self.api_secret, self.password, self.totp_secret} - {""}:
            text = text.replace(secret, "…")
        return text


@dataclass(frozen=True, slots=True)
class KiteEndpoints:
    """The roots of REST, of the login pages and of the stream.

    InvalidInput: no host, a path (the kiteconnect package would drop it), or no encryption on the way to
    another machine.
    """

    api: str = "https://api.kite.trade"
    login: str = "https://kite.zerodha.com"
    stream: str = "wss://ws.kite.trade"

    def __post_init__(self) -> None:
        for one in fields(self):
            given = str(getattr(self, one.name))
            object.__setattr__(
                self, one.name, _root(one.name, given, "ws" if one.name == "stream" else "http")
            )

    def login_link(self, credentials: KiteCredentials) -> str:
        """Where a person logs in; it holds the key, no secret (kite.md 1.1)."""
        sent_along = urlencode({APP_MARK: credentials.app_mark})
        query = urlencode({"v": 3, "api_key": credentials.api_key, "redirect_params": sent_along})
        return f"{self.login}/connect/login?{query}"


def _root(name: str, given: str, scheme: str) -> str:
    setting, parts = f"KITE_{'API' if name == 'api' else name.upper()}_URL", urlsplit(given)
    if parts.scheme not in (scheme, f"{scheme}s") or not parts.hostname:
        raise InvalidInput(f"{setting} must be like {scheme}s://host, was {given!r}.")
    if parts.path.strip("/") or parts.query or parts.username:
        raise InvalidInput(f"{setting} must be a host without a path or a user, was {given!r}.")
    if parts.scheme == scheme and parts.hostname not in LOOPBACK:
        raise InvalidInput(
            f"{setting} must begin with {scheme}s://, or secrets travel in clear; was {given!r}."
        )
    return f"{parts.scheme}://{parts.netloc}"
