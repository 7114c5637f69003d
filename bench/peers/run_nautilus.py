"""NautilusTrader's bar backtest: its engine, EMA indicators, a market entry with a stop and a target."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import pandas as pd
from common import FAST, FEE, SLOW, STOP, TARGET, frames, report
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("XNSE")


class Config(StrategyConfig, frozen=True):
    instrument_id: InstrumentId
    bar_type: BarType


class EmaCross(Strategy):
    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.quick, self.calm = ExponentialMovingAverage(FAST), ExponentialMovingAverage(SLOW)
        self.above: bool | None = None
        self.bars = 0

    def on_start(self) -> None:
        self.instrument = self.cache.instrument(self.config.instrument_id)
        self.register_indicator_for_bars(self.config.bar_type, self.quick)
        self.register_indicator_for_bars(self.config.bar_type, self.calm)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        if not self.indicators_initialized():
            return
        above = self.quick.value > self.calm.value
        if self.above is not None and above is not self.above:
            self.cancel_all_orders(self.config.instrument_id)
            self.close_all_positions(self.config.instrument_id)
            self.enter(OrderSide.BUY if above else OrderSide.SELL, float(bar.close))
        self.above = above

    def enter(self, side: OrderSide, price: float) -> None:
        sign = 1 if side is OrderSide.BUY else -1
        bracket = self.order_factory.bracket(
            instrument_id=self.config.instrument_id,
            order_side=side,
            quantity=self.instrument.make_qty(100),
            sl_trigger_price=self.instrument.make_price(price * (1 - sign * STOP)),
            tp_price=self.instrument.make_price(price * (1 + sign * TARGET)),
        )
        self.submit_order_list(bracket)


def simulate(frame: pd.DataFrame) -> int:
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True), risk_engine=RiskEngineConfig(bypass=True)
        )
    )
    engine.add_venue(
        VENUE, oms_type=OmsType.HEDGING, account_type=AccountType.MARGIN, base_currency=USD,
        starting_balances=[Money(1e9, USD)],
    )  # fmt: skip
    instrument = Equity(
        instrument_id=InstrumentId(Symbol("S0"), VENUE), raw_symbol=Symbol("S0"), currency=USD,
        price_precision=2, price_increment=Price.from_str("0.05"), lot_size=Quantity.from_int(1),
        maker_fee=Decimal(str(FEE)), taker_fee=Decimal(str(FEE)), ts_event=0, ts_init=0,
    )  # fmt: skip
    engine.add_instrument(instrument)
    kind = BarType.from_str("S0.XNSE-1-MINUTE-LAST-EXTERNAL")
    table = frame.rename(columns=str.lower).tz_localize("UTC")
    engine.add_data(BarDataWrangler(kind, instrument).process(table))
    engine.add_strategy(EmaCross(Config(instrument_id=instrument.id, bar_type=kind)))
    engine.run()
    trades = len(engine.cache.position_snapshots()) + engine.cache.positions_closed_count()
    engine.dispose()
    return int(trades)


year = next(iter(frames(Path(sys.argv[1])).values())).iloc[:93_750]
report("NautilusTrader", {"year": (1, lambda: simulate(year))})
