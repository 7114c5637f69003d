"""Settings from the environment: read once, checked together, every fault reported at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from difflib import SequenceMatcher
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from trader.desk.limits import (
    BROKER_ORDERS_PER_DAY,
    BROKER_ORDERS_PER_MINUTE,
    BROKER_ORDERS_PER_SECOND,
    RISK_PER_TRADE_CEILING_PCT,
    RiskLimits,
)
from trader.domain.errors import SettingsError, nearest
from trader.service.reading import (
    Reader,
    Secret,
    base32,
    ids,
    ipv4,
    login_time,
    moment,
    one_of,
    proxy,
    secret,
    socket_url,
    speed,
    token,
    url,
    yes_or_no,
)

_MISSPELT = 0.9  # how alike a name is that nobody meant: DATADIR, DATABSE_URL, not DATABASE_USER
_WRONG_LETTERS = 2  # of as many letters: DATA_DUR, MAKRET
_PASSWORD = re.compile(r"://[^:/]*:([^@]*)@")  # as whoever opens the ledger takes an address apart
_USUAL_SPEED: float | None = 60.0  # market seconds a second; None is flat out


class Market(StrEnum):
    SIMULATED = "simulated"
    REPLAY = "replay"
    ZERODHA = "zerodha"


class Trading(StrEnum):
    PAPER = "paper"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class PaperSettings:
    """How the paper exchange behaves. ``latency`` is market time; probabilities are of each order."""

    slippage_bps: Decimal = Decimal(2)
    latency: timedelta = timedelta(0)
    partial_pct: Decimal = Decimal(0)
    reject_pct: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class KiteSettings:
    """The way to Zerodha. With user, password and TOTP secret the desk logs in by itself at ``login_at``; a
    user alone says who may log in by link."""

    api_key: str = ""
    api_secret: Secret = field(default=Secret(""), repr=False)
    user_id: str = ""
    password: Secret = field(default=Secret(""), repr=False)
    totp_secret: Secret = field(default=Secret(""), repr=False)
    api_url: str = "https://api.kite.trade"
    login_url: str = "https://kite.zerodha.com"
    stream_url: str = "wss://ws.kite.trade"
    proxy: Secret = field(default=Secret(""), repr=False)  # it may carry a password
    static_ip: str = ""
    login_at: time = time(8, 10)
    record: bool = True

    @property
    def real(self) -> bool:
        """Whether this is Zerodha itself, and no server of somebody's own."""
        hosts = (
            urlsplit(address).hostname or "" for address in (self.api_url, self.login_url, self.stream_url)
        )
        return any(host.endswith(("kite.trade", "zerodha.com")) for host in hosts)

    @property
    def secrets(self) -> tuple[str, ...]:
        found = (self.api_secret, self.password, self.totp_secret, self.proxy)
        return tuple(str(text) for text in found if text)


@dataclass(frozen=True, slots=True)
class Settings:
    bot_token: Secret = field(default=Secret(""), repr=False)
    owner_ids: tuple[int, ...] = ()
    viewer_ids: tuple[int, ...] = ()
    telegram_api_url: str = "https://api.telegram.org"
    market: Market = Market.SIMULATED
    trading: Trading = Trading.PAPER
    owner_totp: Secret = field(default=Secret(""), repr=False)
    replay_path: str = ""
    speed: float | None = 60.0  # market seconds a second; None: flat out
    seed: int = 20_261_121
    database_url: str = field(default="", repr=False)  # it may carry a password
    data_dir: Path = Path("data")
    clock_start: datetime | None = None
    limits: RiskLimits = field(default_factory=RiskLimits)
    paper: PaperSettings = field(default_factory=PaperSettings)
    kite: KiteSettings = field(default_factory=KiteSettings)

    @property
    def secrets(self) -> tuple[str, ...]:
        found = (self.bot_token, self.owner_totp, *_passwords(self.database_url))
        return (*(str(text) for text in found if text), *self.kite.secrets)


def _passwords(address: str) -> tuple[str, ...]:
    """That of ``postgres://user:password@host/name`` or of ``?password=``: as it is written, and as a server
    is told it."""
    found = [match[1]] if (match := _PASSWORD.search(address)) else []
    try:
        parts = urlsplit(address)
        found += [parts.password or "", *parse_qs(parts.query).get("password", ())]
    except ValueError:  # not an address; whoever opens the ledger says so
        pass
    return tuple(dict.fromkeys(text for password in found for text in (password, unquote(password))))


def read_settings(values: Mapping[str, str], filed: Collection[str] = ()) -> Settings:
    """Settings from environment variables; ``filed`` are the names that stand in a file of ours. Raises
    SettingsError naming every fault."""
    read = Reader(values)
    settings = Settings(
        bot_token=read.take("TELEGRAM_BOT_TOKEN", token, Secret("")),
        owner_ids=read.take("TELEGRAM_OWNER_IDS", ids, ()),
        viewer_ids=read.take("TELEGRAM_VIEWER_IDS", ids, ()),
        telegram_api_url=read.take("TELEGRAM_API_URL", url, "https://api.telegram.org"),
        market=read.take("MARKET", one_of(Market), Market.SIMULATED),
        trading=read.take("TRADING", one_of(Trading), Trading.PAPER),
        owner_totp=read.take("OWNER_TOTP_SECRET", base32, Secret("")),
        replay_path=read.take("REPLAY_PATH", str, ""),
        speed=read.take("REPLAY_SPEED", speed, _USUAL_SPEED),
        seed=read.count("SIMULATION_SEED", 20_261_121, 0, 2**31 - 1),
        database_url=read.take("DATABASE_URL", str, ""),
        data_dir=read.take("DATA_DIR", Path, Path("data")),
        clock_start=read.take("CLOCK_START", moment, None),
        limits=_limits(read),
        paper=PaperSettings(
            slippage_bps=read.number("PAPER_SLIPPAGE_BPS", 2, "0", "500"),
            latency=timedelta(milliseconds=read.count("PAPER_LATENCY_MS", 0, 0, 60_000)),
            partial_pct=read.number("PAPER_PARTIAL_PCT", 0, "0", "100"),
            reject_pct=read.number("PAPER_REJECT_PCT", 0, "0", "100"),
        ),
        kite=_kite(read),
    )
    _cross_check(read, settings)
    _unknown(read, values, filed)
    if read.faults:
        raise SettingsError(read.faults)
    return settings


def _limits(read: Reader) -> RiskLimits:
    return RiskLimits(
        capital=read.number("RISK_CAPITAL", 100_000, "1000", "1000000000"),
        risk_per_trade_pct=read.number("RISK_PER_TRADE_PCT", 1, "0.01", str(RISK_PER_TRADE_CEILING_PCT)),
        max_daily_loss=read.number("RISK_MAX_DAILY_LOSS", 3000, "1", "1000000000"),
        max_daily_loss_pct=read.number("RISK_MAX_DAILY_LOSS_PCT", 3, "0.01", "100"),
        max_drawdown_pct=read.number("RISK_MAX_DRAWDOWN_PCT", 10, "0.1", "100"),
        max_open_positions=read.count("RISK_MAX_OPEN_POSITIONS", 5, 1, 200),
        max_order_value=read.number("RISK_MAX_ORDER_VALUE", 100_000, "1", "1000000000"),
        max_position_pct=read.number("RISK_MAX_POSITION_PCT", 100, "0.1", "500"),
        max_exposure_pct=read.number("RISK_MAX_EXPOSURE_PCT", 500, "1", "1000"),
        max_trades_per_day=read.count("RISK_MAX_TRADES_PER_DAY", 50, 1, 10_000),
        orders_per_second=read.count("RISK_ORDERS_PER_SECOND", 8, 1, BROKER_ORDERS_PER_SECOND),
        orders_per_minute=read.count("RISK_ORDERS_PER_MINUTE", 200, 1, BROKER_ORDERS_PER_MINUTE),
        orders_per_day=read.count("RISK_ORDERS_PER_DAY", 2000, 1, BROKER_ORDERS_PER_DAY),
        loss_streak=read.count("RISK_LOSS_STREAK", 5, 1, 1000),
        cooldown=timedelta(minutes=read.count("RISK_COOLDOWN_MINUTES", 30, 0, 1440)),
        collar_pct=read.number("RISK_PRICE_COLLAR_PCT", 5, "0.1", "50"),
    )


def _kite(read: Reader) -> KiteSettings:
    usual = KiteSettings()
    return KiteSettings(
        api_key=read.take("KITE_API_KEY", str, ""),
        api_secret=read.take("KITE_API_SECRET", secret, Secret("")),
        user_id=read.take("KITE_USER_ID", str, ""),
        password=read.take("KITE_PASSWORD", secret, Secret("")),
        totp_secret=read.take("KITE_TOTP_SECRET", base32, Secret("")),
        api_url=read.take("KITE_API_URL", url, usual.api_url),
        login_url=read.take("KITE_LOGIN_URL", url, usual.login_url),
        stream_url=read.take("KITE_STREAM_URL", socket_url, usual.stream_url),
        proxy=read.take("KITE_PROXY", proxy, Secret("")),
        static_ip=read.take("KITE_STATIC_IP", ipv4, ""),
        login_at=read.take("KITE_LOGIN_AT", login_time, usual.login_at),
        record=read.take("KITE_RECORD", yes_or_no, usual.record),
    )


def _cross_check(read: Reader, settings: Settings) -> None:
    if settings.bot_token and not settings.owner_ids:
        read.faults.append(
            "TELEGRAM_OWNER_IDS: needed with a bot token, or nobody could command it."
            " Send /start to @userinfobot to learn your numeric id."
        )
    both = set(settings.owner_ids) & set(settings.viewer_ids)
    if both:
        read.faults.append(f"TELEGRAM_VIEWER_IDS: {min(both)} is an owner already")
    _cross_check_kite(read, settings)
    if settings.market is Market.REPLAY and not settings.replay_path:
        read.faults.append("REPLAY_PATH: needed with MARKET=replay; docs/sample holds a small recording")


def _cross_check_kite(read: Reader, settings: Settings) -> None:
    kite = settings.kite
    if settings.trading is Trading.LIVE and settings.market is not Market.ZERODHA:
        read.faults.append("TRADING: live needs MARKET=zerodha")
    if settings.market is Market.ZERODHA and not (kite.api_key and kite.api_secret):
        read.faults.append(
            "KITE_API_KEY: with KITE_API_SECRET needed for MARKET=zerodha; see docs/zerodha.md"
        )
    alone = (kite.password, kite.totp_secret)
    if any(alone) and not (kite.user_id and all(alone)):
        read.faults.append(
            "KITE_PASSWORD: KITE_USER_ID and KITE_TOTP_SECRET go together with it;"
            " without all three you log in by link"
        )
    if settings.clock_start is not None and settings.market is Market.ZERODHA and kite.real:
        read.faults.append("CLOCK_START: not with Zerodha's own servers; their clock is the world's")


def _unknown(read: Reader, values: Mapping[str, str], filed: Collection[str]) -> None:
    """A misspelt limit is a limit that does not hold. Names without a prefix of ours may be anybody's in an
    environment; in our own file one that nearly is a setting is meant to be it."""
    prefixes = ("TELEGRAM_", "RISK_", "PAPER_", "REPLAY_", "KITE_", "OWNER_TOTP")
    for name in sorted(set(values) - read.known):
        if name.startswith(prefixes) or (
            name in filed and any(_misspelt(name, known) for known in read.known)
        ):
            near = nearest(name, read.known)
            read.faults.append(f"{name}: no such setting{f'; did you mean {near}?' if near else ''}")


def _misspelt(name: str, known: str) -> bool:
    if len(name) == len(known):
        return sum(a != b for a, b in zip(name, known, strict=True)) <= _WRONG_LETTERS
    return SequenceMatcher(None, name, known).ratio() >= _MISSPELT
