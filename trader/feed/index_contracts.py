"""The simulated market's futures and options: which are listed, and what they cost.

Prices follow the simulated index: a future is its level carried to expiry at a fixed rate, an option Black's
formula on that future with one fixed volatility, a market without a smile. What is listed on a day is a pure
function of that day, and a strike once listed stays until its expiry, as at the exchange: a desk that is
started again in the same week finds its contracts.
"""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache

import numpy as np

from trader.domain.instrument import Exchange, Instrument, OptionType, Segment
from trader.domain.times import IST
from trader.feed.day import DayHours, DayPath, Floats, Ints
from trader.feed.walk import Walk, profile
from trader.market.calendar import Calendar
from trader.market.contracts import freeze_quantity, lot_size_on
from trader.market.symbols import ContractTerms, Listing, contract_symbol, contract_terms, invented_token

_RATE = 0.06  # a year
_YEAR = 365 * 86_400.0  # seconds
_SETTLES = time(15, 30)  # of the last day: the index's close decides, not the minutes traded after it
_EACH_SIDE = 3  # strikes listed above and below the money
_OPTION_LISTED = timedelta(weeks=5)  # before expiry
_FUTURE_LISTED = timedelta(weeks=13)
_DAY = timedelta(days=1)


class IndexContracts:
    """The contracts of one index."""

    def __init__(self, walk: Walk, index: Listing, terms: ContractTerms, calendar: Calendar) -> None:
        self._walk = walk
        self._index = index
        self._terms = terms
        self._calendar = calendar

    @classmethod
    def simulated(cls, walk: Walk, index: Listing, calendar: Calendar) -> list[IndexContracts]:
        """Those of the table on this index."""
        return [
            cls(walk, index, terms, calendar)
            for terms in contract_terms()
            if terms.index == index.instrument.symbol
        ]

    # -- what is listed --------------------------------------------------------------------------------

    def listed(self, day: date) -> list[Instrument]:
        """On trading day ``day``: the nearest monthly future, and the options of the nearest expiry at every
        strike that was near the money on a day since the expiry before it."""
        expiry, last_of_month = self._expiry(day)
        if expiry < self._terms.since:
            return []
        monthly = self._moved(_last_weekday(day, self._terms.weekday))
        if monthly < day:
            monthly = self._moved(_last_weekday(day.replace(day=28) + 7 * _DAY, self._terms.weekday))
        options = [
            self._contract(expiry, last_of_month, Decimal(strike), option_type)
            for strike in self._strikes(expiry, day)
            for option_type in OptionType
        ]
        return [self._contract(monthly, True), *options]

    def since(self, contract: Instrument) -> date:
        """The first day it was traded."""
        assert contract.expiry is not None  # noqa: S101 ours have one
        return contract.expiry - (_OPTION_LISTED if contract.option_type else _FUTURE_LISTED)

    def _expiry(self, day: date) -> tuple[date, bool]:
        """The first expiry from ``day`` on, and whether it is its month's last."""
        nominal = day + (self._terms.weekday - day.isoweekday()) % 7 * _DAY
        while (expiry := self._moved(nominal)) < day:
            nominal += 7 * _DAY
        return expiry, (nominal + 7 * _DAY).month != nominal.month

    def _moved(self, nominal: date) -> date:
        """A holiday moves the expiry to the trading day before."""
        while not self._scheduled(nominal):
            nominal -= _DAY
        return nominal

    def _scheduled(self, day: date) -> bool:
        """A closure that the owner adds later renames no contract."""
        return self._calendar.is_trading_day(day) or (
            day in self._calendar.closures() and day.isoweekday() <= 5
        )

    def _strikes(self, expiry: date, day: date) -> list[int]:
        """Around the last level before each trading day on which this expiry was the nearest."""
        step, strikes = self._terms.step, set[int]()
        while self._expiry(day)[0] == expiry:
            if self._scheduled(day):
                money = round(self._walk.close(self._index, day - _DAY) / step) * step
                strikes.update(money + n * step for n in range(-_EACH_SIDE, _EACH_SIDE + 1))
            day -= _DAY
        return sorted(strikes)

    def _contract(
        self,
        expiry: date,
        monthly: bool,
        strike: Decimal | None = None,
        option_type: OptionType | None = None,
    ) -> Instrument:
        terms = self._terms
        symbol = contract_symbol(
            terms.underlying, expiry, monthly=monthly, strike=strike, option_type=option_type
        )
        return Instrument(
            Exchange.NFO,
            symbol,
            invented_token(Exchange.NFO, symbol),
            terms.option_tick if option_type else terms.future_tick,
            lot_size=lot_size_on(terms.underlying, expiry) or 1,
            segment=Segment.OPTIONS if option_type else Segment.FUTURES,
            name=terms.underlying,
            freeze_quantity=freeze_quantity(terms.underlying, expiry),
            underlying=terms.underlying,
            expiry=expiry,
            strike=strike,
            option_type=option_type,
        )

    # -- what it costs ---------------------------------------------------------------------------------

    def path(self, contract: Instrument, hours: DayHours) -> DayPath | None:
        """Its day, second by second; None before it was listed and after its expiry."""
        assert contract.expiry is not None  # noqa: S101 ours have one
        if not self.since(contract) <= hours.day <= contract.expiry:
            return None
        return self._walk.kept(contract.symbol, hours, lambda: self._make(contract, hours))

    def _make(self, contract: Instrument, hours: DayHours) -> DayPath:
        assert contract.expiry is not None  # noqa: S101 ours have one
        seconds = hours.contracts
        rng = self._walk.random(contract.symbol, hours.day.toordinal())
        level = self._walk.level(self._index, hours)[:seconds]
        settles = datetime.combine(contract.expiry, _SETTLES, IST)
        left = (settles - hours.opens_at).total_seconds() - np.arange(seconds)
        years = np.maximum(left, 0.0) / _YEAR
        forward = level * np.exp(_RATE * years)
        if contract.option_type is None or contract.strike is None:
            price, near, volume = forward, 1.0, float(self._terms.future_volume)
        else:
            strike = float(contract.strike)
            price = _black(forward, strike, years, self._terms.volatility, contract.option_type)
            near = math.exp(-abs(strike - float(level[0])) / (5 * self._terms.step))
            volume = self._terms.option_volume * near
        bid, ask = _quotes(rng, price, int(contract.tick_size * 100))
        last = np.where(rng.random(seconds) < 0.5, bid, ask)
        traded = rng.random(seconds) < 0.55 + 0.42 * near
        traded[-1] = True  # so that the session ends on its close
        shares = profile(seconds) * np.exp(0.9 * rng.standard_normal(seconds))
        shares *= volume * math.exp(0.25 * float(rng.standard_normal())) / shares.sum()
        lots = np.maximum((shares / contract.lot_size).astype(np.int32), 1)
        units = np.cumsum(np.where(traded, lots, 0) * contract.lot_size, dtype=np.int32)
        return DayPath(hours.opens_at, last, bid, ask, units, traded, seconds)


def _quotes(rng: np.random.Generator, price: Floats, tick: int) -> tuple[Ints, Ints]:
    """Bid and ask in paise around ``price``, one to three ticks apart, and one more for each ₹150: the fair
    price lies between them, unless it is below the smallest one that can be bid."""
    ticks = price * (100 / tick)
    below = np.floor(ticks)
    more = price / 150 if tick < 10 else np.zeros(len(price))  # an option's; a future is quoted tightly
    wide = rng.random((2, len(price))) * (1.6 + more)
    bid = np.maximum(below - np.floor(wide[0]), 1)
    ask = np.maximum(below + 1 + np.floor(wide[1]), bid + 1)
    return (bid * tick).astype(np.int32), (ask * tick).astype(np.int32)


def _black(
    forward: Floats, strike: float, years: Floats, volatility: float, option_type: OptionType
) -> Floats:
    """Black's formula of 1976; with no time left, what the option is worth by exercise."""
    deviation = np.maximum(volatility * np.sqrt(years), 1e-9)
    away = np.log(forward / strike) / deviation + deviation / 2
    call = forward * _normal(away) - strike * _normal(away - deviation)
    price = call if option_type is OptionType.CALL else call - forward + strike  # parity, exactly
    worth: Floats = np.exp(-_RATE * years) * np.maximum(price, 0.0)
    return worth


def _normal(values: Floats) -> Floats:
    """The normal distribution, within 1e-7. NumPy has none."""
    points, shares = _normal_table()
    found: Floats = np.interp(values, points, shares)
    return found


@cache
def _normal_table() -> tuple[Floats, Floats]:
    points = np.linspace(-8.0, 8.0, 16_001)
    return points, np.array([0.5 * (1 + math.erf(x / math.sqrt(2))) for x in points.tolist()])


def _last_weekday(day: date, weekday: int) -> date:
    """The last ISO ``weekday`` of the month of ``day``."""
    last = (day.replace(day=28) + 4 * _DAY).replace(day=1) - _DAY
    return last - (last.isoweekday() - weekday) % 7 * _DAY
