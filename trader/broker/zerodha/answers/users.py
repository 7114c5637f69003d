"""The owner as Zerodha knows him."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Consent:
    demat_consent: str  # of shares: physical, or by the depository's TPIN


@dataclass(frozen=True, slots=True)
class User:
    user_id: str
    user_type: str
    email: str
    user_name: str
    user_shortname: str
    broker: str
    exchanges: tuple[str, ...]  # MF among them
    products: tuple[str, ...]
    order_types: tuple[str, ...]
    avatar_url: str | None


@dataclass(frozen=True, slots=True)
class Profile(User):
    meta: Consent


@dataclass(frozen=True, slots=True)
class LoggedIn(User):
    """There is no end among its times: 06:00 of the next morning (kite.md 1.3)."""

    api_key: str
    access_token: str = field(repr=False)
    public_token: str = field(repr=False)
    enctoken: str = field(repr=False)
    refresh_token: str = field(repr=False)
    silo: str
    login_time: datetime
    meta: Consent


@dataclass(frozen=True, slots=True)
class BankAccount:
    name: str
    branch: str
    account: str


@dataclass(frozen=True, slots=True)
class Standing:
    poa: str
    silo: str
    account_blocks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FullProfile(User):
    twofa_type: str
    phone: str
    pan: str
    bank_accounts: tuple[BankAccount, ...]
    dp_ids: tuple[str, ...]
    tags: tuple[str, ...]
    password_timestamp: datetime
    twofa_timestamp: datetime
    meta: Standing
