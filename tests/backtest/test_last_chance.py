"""A candle that holds the day's last chance to leave without the broker: it is left at its close."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

import pytest

from tests.backtest.markets import ABC, BUY, ROOMY, SHORT, Candle, Scripted, candles, flat, leg, world
from trader.backtest.parity import Parity, parity
from trader.backtest.result import Reason
from trader.backtest.run import Backtester
from trader.backtest.spec import Spec
from trader.domain.instrument import Exchange, Instrument, Segment
from trader.domain.market import Interval
from trader.domain.times import IST
from trader.market.calendar import Calendar
from trader.market.phases import Venue
from trader.strategy.bars import moment

CALENDAR = Calendar.load()
MONDAY = date(2026, 11, 23)
BEFORE = date(2026, 7, 30)  # the last sessions without a closing auction
IN_AUCTION = Instrument(Exchange.NSE, "ABC", 1, Decimal("0.05"), derivatives=True)
PLAIN = Instrument(Exchange.NSE, "ABC", 1, Decimal("0.05"))
FUTURE = Instrument(
    Exchange.NFO, "ABC26DECFUT", 2, Decimal("0.05"), 10, Segment.FUTURES, underlying="ABC",
    expiry=date(2026, 12, 29),
)  # fmt: skip


def at(hour: int, minute: int, day: date = MONDAY) -> datetime:
    return datetime.combine(day, time(hour, minute), IST)


def compared(
    instrument: Instrument,
    interval: Interval,
    rows: list[Candle | None],
    settings: dict[str, str] | None = None,
    day: date = MONDAY,
) -> Parity:
    one = leg(Scripted, [instrument.key], {"quantity": "10"} | (settings or {}), interval)
    data = {instrument.key: candles(rows, instrument.key, at(9, 15, day), interval)}
    found = parity(Spec((one,), limits=ROOMY, slippage_bps=10), data, world([instrument]))
    assert found.same, str(found.difference)
    return found


def day_of(interval: Interval, last: Candle, code: int = BUY) -> list[Candle | None]:
    """A position from noon on, and ``last`` for every candle that begins from 14:45 on or holds it."""
    begins = [9 * 60 + 15 + n * interval.seconds // 60 for n in range(375 * 60 // interval.seconds + 1)]
    rows: list[Candle | None] = []
    for minute in begins:
        if minute >= 15 * 60 + 30:
            break
        late = minute + interval.seconds // 60 > 14 * 60 + 45
        rows.append(last if late else flat(100, 1, code if minute <= 12 * 60 else 0)[0])
    return rows


@pytest.mark.parametrize("interval", [Interval.M10, Interval.M15, Interval.M30, Interval.H1], ids=str)
@pytest.mark.parametrize(
    ("instrument", "own"),
    [(IN_AUCTION, at(15, 7)), (PLAIN, at(15, 20)), (FUTURE, at(15, 20))],
    ids=["in the auction", "plain", "future"],
)
def test_it_is_left_at_the_own_hour_by_an_order_at_market_and_without_the_brokers_fee(
    instrument: Instrument, own: datetime, interval: Interval
) -> None:
    if instrument is FUTURE and interval is Interval.M10:
        own = at(15, 25)  # the candle that begins then is still ahead of the broker's 15:26
    found = compared(instrument, interval, day_of(interval, (100, 101, 100, 101)))
    (trade,) = found.desk
    assert trade.reason == "squareoff"
    assert moment(trade.exit_at) == own
    slipped = 99.9 if own == at(15, 25) else 100.85  # a tenth of a percent below the open, or the close
    assert float(trade.exit_price) == pytest.approx(slipped)
    assert trade.charges < 40  # the broker's own order alone costs ₹59


def test_before_the_closing_auction_the_next_open_comes_in_time() -> None:
    found = compared(IN_AUCTION, Interval.M15, day_of(Interval.M15, (100, 101, 100, 101)), day=BEFORE)
    (trade,) = found.desk
    assert (trade.reason, moment(trade.exit_at)) == ("squareoff", at(15, 15, BEFORE))
    assert float(trade.exit_price) == pytest.approx(99.9)


@pytest.mark.parametrize(("code", "stop"), [(BUY, 99.0), (SHORT, 101.0)], ids=["long", "short"])
def test_a_stop_that_the_candle_reached_goes_first(code: int, stop: float) -> None:
    rows = day_of(Interval.M15, (100, 100, 100, 100), code)
    rows[23] = (100, 102, 98, 100)  # 15:00
    found = compared(IN_AUCTION, Interval.M15, rows, {"stop": "1", "target": "0"})
    (trade,) = found.desk
    assert (trade.reason, moment(trade.exit_at)) == ("stop", at(15, 7))
    assert float(trade.exit_price) == pytest.approx(stop, abs=0.2)


def test_a_target_inside_it_is_taken() -> None:
    rows = day_of(Interval.M15, (100, 100, 100, 100))
    rows[23] = (100, 103, 100, 101)
    found = compared(IN_AUCTION, Interval.M15, rows, {"stop": "5", "target": "2"})
    (trade,) = found.desk
    assert (trade.reason, float(trade.exit_price)) == ("target", pytest.approx(102.15, abs=0.11))


def test_the_candle_counts_among_those_the_position_lived_through() -> None:
    rows = day_of(Interval.M15, (100, 100, 100, 100))
    rows[23] = (100, 104, 97, 101)
    one = leg(Scripted, [ABC], {"quantity": "10", "stop": "9", "target": "0"}, Interval.M15)
    data = {ABC: candles(rows, ABC, at(9, 15), Interval.M15)}
    (trade,) = Backtester(world([IN_AUCTION]), data).run(Spec((one,), limits=ROOMY)).trades
    assert Reason(int(trade["reason"])) is Reason.SQUAREOFF
    assert (trade["best"], trade["worst"]) == (104.0, 97.0)


@pytest.mark.parametrize(
    ("venue", "start", "end", "chance"),
    [
        (Venue.AUCTION_STOCK, at(15, 0), at(15, 15), at(15, 7)),
        (Venue.AUCTION_STOCK, at(15, 5), at(15, 10), None),  # the next one begins before the broker's 15:12
        (Venue.AUCTION_STOCK, at(15, 7), at(15, 15), None),  # its open is in time
        (Venue.AUCTION_STOCK, at(14, 45), at(15, 0), None),
        (Venue.STOCK, at(15, 15), at(15, 25), at(15, 20)),  # the broker's own minute is too late
        (Venue.STOCK, at(15, 15), at(15, 30), at(15, 20)),
        (Venue.STOCK, at(15, 0), at(15, 15), None),
        (Venue.DERIVATIVE, at(15, 15), at(15, 25), None),  # the broker's is at 15:26
        (Venue.STOCK, at(14, 15, BEFORE), at(15, 15, BEFORE), None),
        (Venue.STOCK, at(9, 15, date(2026, 11, 24)), at(15, 30, date(2026, 11, 24)), None),  # a holiday
    ],
)  # fmt: skip
def test_which_candles_hold_the_last_chance(
    venue: Venue, start: datetime, end: datetime, chance: datetime | None
) -> None:
    assert CALENDAR.last_chance(start, end, [venue]) == chance


def test_of_several_venues_the_latest_chance_counts() -> None:
    both = [Venue.AUCTION_STOCK, Venue.STOCK]
    assert CALENDAR.last_chance(at(15, 0), at(15, 30), both) == at(15, 20)
