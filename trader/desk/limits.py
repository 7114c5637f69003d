"""The owner's limits, as the desk holds them. Rupees, percents of capital, counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

RISK_PER_TRADE_CEILING_PCT = Decimal(2)  # whatever is configured or typed

# The broker's own order limits (kite.md 10). Entries stop at the desk's lower ones; exits may use all.
BROKER_ORDERS_PER_SECOND = 10
BROKER_ORDERS_PER_MINUTE = 400
BROKER_ORDERS_PER_DAY = 5000
MODIFICATIONS_PER_ORDER = 25


@dataclass(frozen=True, slots=True)
class RiskLimits:
    capital: Decimal = Decimal(100_000)
    risk_per_trade_pct: Decimal = Decimal(1)
    max_daily_loss: Decimal = Decimal(3000)
    max_daily_loss_pct: Decimal = Decimal(3)
    max_drawdown_pct: Decimal = Decimal(10)
    max_open_positions: int = 5
    max_order_value: Decimal = Decimal(100_000)
    max_position_pct: Decimal = Decimal(100)
    max_exposure_pct: Decimal = Decimal(500)
    max_trades_per_day: int = 50
    orders_per_second: int = 8
    orders_per_minute: int = 200
    orders_per_day: int = 2000
    loss_streak: int = 5  # losing trades in a row …
    cooldown: timedelta = timedelta(minutes=30)  # … and then no entry for this long
    collar_pct: Decimal = Decimal(5)  # how far from the last price an order may be priced
    stale_quote: timedelta = timedelta(seconds=30)
    duplicate_window: timedelta = timedelta(seconds=5)

    @property
    def daily_loss(self) -> Decimal:
        """The loss of one day that stops trading, as a positive number: the tighter of the two limits."""
        return min(self.max_daily_loss, self.capital * self.max_daily_loss_pct / 100)

    @property
    def max_position_value(self) -> Decimal:
        return self.capital * self.max_position_pct / 100

    @property
    def max_exposure(self) -> Decimal:
        return self.capital * self.max_exposure_pct / 100
