"""Settings from the environment: read once, checked together, every fault reported at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from trader.desk.limits import (
    BROKER_ORDERS_PER_DAY,
    BROKER_ORDERS_PER_MINUTE,
    BROKER_ORDERS_PER_SECOND,
    RISK_PER_TRADE_CEILING_PCT,
    RiskLimits,
)
from trader.domain.errors import SettingsError, nearest
from trader.domain.times import IST

T = TypeVar("T")

_USUAL_SPEED: float | None = 60.0  # market seconds a second; None is flat out


class Market(StrEnum):
    SIMULATED = "simulated"
    REPLAY = "replay"


class Secret(str):
    """Text that does not show itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret>"


@dataclass(frozen=True, slots=True)
class PaperSettings:
    """How the paper exchange behaves. ``latency`` is market time; probabilities are of each order."""

    slippage_bps: Decimal = Decimal(2)
    latency: timedelta = timedelta(0)
    partial_pct: Decimal = Decimal(0)
    reject_pct: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Settings:
    bot_token: Secret = field(default=Secret(""), repr=False)
    owner_ids: tuple[int, ...] = ()
    viewer_ids: tuple[int, ...] = ()
    telegram_api_url: str = "https://api.telegram.org"
    market: Market = Market.SIMULATED
    replay_path: str = ""
    speed: float | None = 60.0  # market seconds a second; None: flat out
    seed: int = 20_261_121
    database_url: str = ""
    data_dir: Path = Path("data")
    clock_start: datetime | None = None
    limits: RiskLimits = field(default_factory=RiskLimits)
    paper: PaperSettings = field(default_factory=PaperSettings)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (str(self.bot_token),) if self.bot_token else ()


class _Reader:
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
        def parse(text: str) -> Decimal:
            try:
                value = Decimal(text)
            except InvalidOperation:
                raise ValueError(f"expected a number, was {text!r}") from None
            if not (value.is_finite() and Decimal(low) <= value <= Decimal(high)):
                raise ValueError(f"expected {low} to {high}, was {text}")
            return value

        return self.take(name, parse, Decimal(default))

    def count(self, name: str, default: int, low: int, high: int) -> int:
        value = self.number(name, default, str(low), str(high))
        if value != value.to_integral_value():
            self.faults.append(f"{name}: expected a whole number, was {value}")
        return int(value)


def read_settings(values: Mapping[str, str]) -> Settings:
    """Settings from environment variables. Raises SettingsError naming every fault."""
    read = _Reader(values)
    settings = Settings(
        bot_token=read.take("TELEGRAM_BOT_TOKEN", _token, Secret("")),
        owner_ids=read.take("TELEGRAM_OWNER_IDS", _ids, ()),
        viewer_ids=read.take("TELEGRAM_VIEWER_IDS", _ids, ()),
        telegram_api_url=read.take("TELEGRAM_API_URL", _url, "https://api.telegram.org"),
        market=read.take("MARKET", _market, Market.SIMULATED),
        replay_path=read.take("REPLAY_PATH", str, ""),
        speed=read.take("REPLAY_SPEED", _speed, _USUAL_SPEED),
        seed=read.count("SIMULATION_SEED", 20_261_121, 0, 2**31 - 1),
        database_url=read.take("DATABASE_URL", str, ""),
        data_dir=read.take("DATA_DIR", Path, Path("data")),
        clock_start=read.take("CLOCK_START", _moment, None),
        limits=_limits(read),
        paper=PaperSettings(
            slippage_bps=read.number("PAPER_SLIPPAGE_BPS", 2, "0", "500"),
            latency=timedelta(milliseconds=read.count("PAPER_LATENCY_MS", 0, 0, 60_000)),
            partial_pct=read.number("PAPER_PARTIAL_PCT", 0, "0", "100"),
            reject_pct=read.number("PAPER_REJECT_PCT", 0, "0", "100"),
        ),
    )
    _cross_check(read, settings)
    read.take("TRADING", _paper_only, "paper")
    _unknown(read, values)
    if read.faults:
        raise SettingsError(read.faults)
    return settings


def _limits(read: _Reader) -> RiskLimits:
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


def _cross_check(read: _Reader, settings: Settings) -> None:
    if settings.bot_token and not settings.owner_ids:
        read.faults.append(
            "TELEGRAM_OWNER_IDS: needed with a bot token, or nobody could command it."
            " Send /start to @userinfobot to learn your numeric id."
        )
    both = set(settings.owner_ids) & set(settings.viewer_ids)
    if both:
        read.faults.append(f"TELEGRAM_VIEWER_IDS: {min(both)} is an owner already")
    if settings.market is Market.REPLAY and not settings.replay_path:
        read.faults.append("REPLAY_PATH: needed with MARKET=replay; docs/sample holds a small recording")


def _unknown(read: _Reader, values: Mapping[str, str]) -> None:
    """A misspelt limit is a limit that does not hold."""
    prefixes = ("TELEGRAM_", "RISK_", "PAPER_", "REPLAY_")
    for name in sorted(values):
        if name.startswith(prefixes) and name not in read.known:
            near = nearest(name, read.known)
            read.faults.append(f"{name}: no such setting{f'; did you mean {near}?' if near else ''}")


def _token(text: str) -> Secret:
    number, _, rest = text.partition(":")
    if not (number.isascii() and number.isdigit() and len(rest) >= 10):
        raise ValueError("expected the token @BotFather gave, like 123456:ABC…")
    return Secret(text)


def _ids(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"expected numeric user ids separated by commas, was {text!r}")
    return tuple(dict.fromkeys(int(part) for part in parts))


def _url(text: str) -> str:
    if not text.startswith(("https://", "http://")):
        raise ValueError(f"expected an http(s) address, was {text!r}")
    return text.rstrip("/")


def _market(text: str) -> Market:
    try:
        return Market(text.lower())
    except ValueError:
        raise ValueError(f"expected {' or '.join(Market)}, was {text!r}") from None


def _paper_only(text: str) -> str:
    if text.lower() != "paper":
        raise ValueError(f"expected paper, was {text!r}; there is no live broker in this version")
    return text


def _speed(text: str) -> float | None:
    if text.lower() == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        raise ValueError(f"expected market seconds per second, or max, was {text!r}") from None
    if not 0 < speed <= 100_000:
        raise ValueError(f"expected a speed above 0, was {text}")
    return speed


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected an ISO time like 2026-11-23T09:20, was {text!r}") from None
    return at.replace(tzinfo=IST) if at.tzinfo is None else at.astimezone(IST)
