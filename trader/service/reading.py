"""Taking settings out of text: each value is parsed, every fault is collected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from ipaddress import IPv4Address
from typing import TypeVar
from urllib.parse import urlsplit

from trader.domain.times import IST

SESSIONS_END = time(6, 0)  # Zerodha's, all of them (kite.md 1.3)

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class Secret(str):
    """Text that does not show itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret>"


class Reader:
    """Takes values out of a mapping and collects what is wrong with them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.faults: list[str] = []
        self.known: set[str] = set()

    def take(self, name: str, parse: Callable[[str], T], default: T) -> T:
        self.known.add(name)
        text = self._values.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except (ValueError, InvalidOperation) as e:
            self.faults.append(f"{name}: {e}")
            return default

    def number(self, name: str, default: Decimal | int, low: str, high: str) -> Decimal:
        """In the digits 0 to 9; percentages may carry their sign."""

        def parse(text: str) -> Decimal:
            bare = text.removesuffix("%").rstrip() if name.endswith("_PCT") else text
            try:
                value = Decimal(bare)
            except InvalidOperation:
                raise ValueError(f"expected a number, was {text!r}") from None
            if not bare.isascii() or "_" in bare:  # Python would take other scripts' digits and 1_000
                raise ValueError(f"expected a number in the digits 0 to 9, was {text!r}")
            if not (value.is_finite() and Decimal(low) <= value <= Decimal(high)):
                raise ValueError(f"expected {low} to {high}, was {text}")
            return value

        return self.take(name, parse, Decimal(default))

    def count(self, name: str, default: int, low: int, high: int) -> int:
        value = self.number(name, default, str(low), str(high))
        if value != value.to_integral_value():
            self.faults.append(f"{name}: expected a whole number, was {value}")
        return int(value)


def token(text: str) -> Secret:
    number, _, rest = text.partition(":")
    if not (number.isascii() and number.isdigit() and len(rest) >= 10):
        raise ValueError("expected the token @BotFather gave, like 123456:ABC…")
    return Secret(text)


def ids(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"expected numeric user ids separated by commas, was {text!r}")
    return tuple(dict.fromkeys(int(part) for part in parts))


def url(text: str) -> str:
    if not text.startswith(("https://", "http://")):
        raise ValueError(f"expected an http(s) address, was {text!r}")
    return text.rstrip("/")


def speed(text: str) -> float | None:
    if text.lower() == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        raise ValueError(f"expected market seconds per second, or max, was {text!r}") from None
    if not 0 < speed <= 100_000:
        raise ValueError(f"expected a speed above 0, was {text}")
    return speed


def moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected an ISO time like 2026-11-23T09:20, was {text!r}") from None
    return at.replace(tzinfo=IST) if at.tzinfo is None else at.astimezone(IST)


def one_of(kind: type[E]) -> Callable[[str], E]:
    """One of an enumeration's values, in any case."""

    def parse(text: str) -> E:
        try:
            return kind(text.lower())
        except ValueError:
            *first, last = kind
            words = f"{', '.join(first)} or {last}"
            raise ValueError(f"expected {words}, was {text!r}") from None

    return parse


def secret(text: str) -> Secret:
    return Secret(text)


def proxy(text: str) -> Secret:
    """It may carry a password, so it is not repeated."""
    try:
        parts = urlsplit(text)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port that is none
        fine = False
    if not fine:
        raise ValueError("expected an address like http://user:password@host:3128")
    return Secret(text)


def ipv4(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise ValueError(f"expected an IPv4 address like 203.0.113.7, was {text!r}") from None


def base32(text: str) -> Secret:
    """The secret of an authenticator, as its page shows it."""
    plain = text.replace(" ", "").upper()
    if len(plain) < 16 or set(plain) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567="):
        raise ValueError("expected the authenticator's base32 secret: letters A-Z and digits 2-7")
    return Secret(plain)


def socket_url(text: str) -> str:
    if not text.startswith(("wss://", "ws://")):
        raise ValueError(f"expected a ws(s) address, was {text!r}")
    return text.rstrip("/")


def login_time(text: str) -> time:
    """On the exchange's clock, and not at an hour whose session would be over at once."""
    try:
        at = time.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is not None:
        raise ValueError(f"expected a time like 08:10, was {text!r}")
    if at < SESSIONS_END:
        raise ValueError(
            f"expected 06:00 or later, when Zerodha has ended the day before's session, was {text}"
        )
    return at


def yes_or_no(text: str) -> bool:
    folded = text.casefold()
    if folded not in ("yes", "no"):
        raise ValueError(f"expected yes or no, was {text!r}")
    return folded == "yes"
