"""Recordings replay by the hours of each instrument's venue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from trader.domain.instrument import Exchange, InstrumentKey, OptionType, Segment, instrument_key
from trader.domain.market import Bar, Interval
from trader.domain.times import IST
from trader.feed.port import BarBatch, Batch, Silence, TickBatch
from trader.feed.replay import ReplayMarket
from trader.market.calendar import Calendar, Venue, venue_of
from trader.market.symbols import instrument_of

DAY = "2026-11-23"
FUTURE = InstrumentKey("NFO:NIFTY26NOVFUT")
OPTION = InstrumentKey("NFO:NIFTY26D0126000CE")
MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


def candles(folder: Path, symbol: str, day: str, first: str, count: int, interval: str = "minute") -> None:
    step = Interval.parse(interval).length
    start = at(f"{day} {first}")
    rows = [f"{start + i * step:%Y-%m-%d %H:%M:%S}+05:30,100,101,99,100,{10 + i}" for i in range(count)]
    text = "\n".join(["date,open,high,low,close,volume", *rows]) + "\n"
    (folder / f"{symbol}_{interval}.csv").write_text(text, encoding="utf-8")


def replay(spec: Path | str, calendar: Calendar | None = None) -> ReplayMarket:
    return ReplayMarket.from_path(spec, calendar or Calendar.load())


async def batches_of(market: ReplayMarket) -> list[Batch]:
    return [batch async for batch in market.batches(market.starts_at)]


def last_of(batches: Sequence[Batch], symbol: str) -> Bar:
    bars = [bar for b in batches if isinstance(b, BarBatch) for bar in b.bars]
    return [bar for bar in bars if bar.key.endswith(symbol)][-1]


async def test_candles_play_to_the_close_of_their_venue(tmp_path: Path) -> None:
    """Recorded to 15:40 whatever it is: what lies behind the venue's close is left out and counted."""
    for symbol in ("RELIANCE", "ADANIPORTS", "EIHOTEL", "NIFTY26NOVFUT", "NIFTY26D0126000CE"):
        candles(tmp_path, symbol, DAY, "09:15", 385)
    market = replay(tmp_path)
    batches = await batches_of(market)
    ends = {
        symbol: f"{last_of(batches, symbol).end:%H:%M}"
        for symbol in ("RELIANCE", "ADANIPORTS", "EIHOTEL", "FUT", "CE")
    }
    assert ends == {
        "RELIANCE": "15:15", "ADANIPORTS": "15:15", "EIHOTEL": "15:30", "FUT": "15:40", "CE": "15:40",
    }  # fmt: skip
    assert market.flaws == {"off_session": 25 + 25 + 10}
    assert batches[-1] == Silence(at(f"{DAY} 15:40"))
    assert market.ends_at == at(f"{DAY} 15:40")
    assert market.calendar.session(date.fromisoformat(DAY), Venue.AUCTION_STOCK) == (
        at(f"{DAY} 09:15"), at(f"{DAY} 15:15"),
    ), "candles recorded in the auction prove no longer session"  # fmt: skip


async def test_before_the_auction_came_the_same_stocks_play_to_half_past_three(tmp_path: Path) -> None:
    for symbol in ("RELIANCE", "EIHOTEL"):
        candles(tmp_path, symbol, "2026-07-31", "09:15", 380)
    market = replay(tmp_path)
    batches = await batches_of(market)
    assert {f"{last_of(batches, s).end:%H:%M}" for s in ("RELIANCE", "EIHOTEL")} == {"15:30"}
    assert batches[-1] == Silence(at("2026-07-31 15:30"))


async def test_an_outage_day_that_went_on_into_the_evening_is_long_for_all(tmp_path: Path) -> None:
    for symbol in ("RELIANCE", "NIFTY26NOVFUT"):
        candles(tmp_path, symbol, DAY, "09:15", 465)
    market = replay(tmp_path)
    for venue in Venue:
        session = market.calendar.session(date.fromisoformat(DAY), venue)
        assert session is not None
        assert session.closes_at == at(f"{DAY} 17:00")
    assert market.flaws == {}
    batches = await batches_of(market)
    assert last_of(batches, "RELIANCE").end == at(f"{DAY} 17:00")


@pytest.mark.parametrize(
    ("symbol", "first", "begins", "ends"),
    [
        ("RELIANCE", "09:15", "14:15", "15:15"),
        ("EIHOTEL", "09:15", "15:15", "15:30"),
        ("NIFTY26NOVFUT", "09:15", "15:15", "15:40"),
    ],
)
async def test_the_last_hour_is_closed_when_its_venue_closes(
    tmp_path: Path, symbol: str, first: str, begins: str, ends: str
) -> None:
    candles(tmp_path, symbol, DAY, first, 7, "60minute")
    market = replay(tmp_path)
    key = market.instruments()[0].key
    last = [b for b in await batches_of(market) if isinstance(b, BarBatch)][-1]
    assert (last.start, last.end) == (at(f"{DAY} {begins}"), at(f"{DAY} {ends}"))
    close = at(f"{DAY} {ends}")
    assert (await market.history(key, Interval.H1, 1, close))[0].start == at(f"{DAY} {begins}")
    before = await market.history(key, Interval.H1, 1, close - MINUTE)
    assert before[0].start < at(f"{DAY} {begins}")


async def test_candles_of_one_hour_that_end_apart_come_when_the_last_of_them_is_over(tmp_path: Path) -> None:
    for symbol in ("EIHOTEL", "NIFTY26NOVFUT"):
        candles(tmp_path, symbol, DAY, "09:15", 7, "60minute")
    last = [b for b in await batches_of(replay(tmp_path)) if isinstance(b, BarBatch)][-1]
    assert len(last.bars) == 2
    assert last.end == at(f"{DAY} 15:40")


async def test_minutes_merge_by_venue(tmp_path: Path) -> None:
    for symbol in ("RELIANCE", "EIHOTEL", "NIFTY26NOVFUT"):
        candles(tmp_path, symbol, DAY, "09:15", 385)
    market = replay(tmp_path)
    until = at(f"{DAY} 15:40")
    counts = {
        str(key): [len(await market.history(key, i, 400, until)) for i in (Interval.M1, Interval.H1)]
        for key in (instrument_key("RELIANCE"), instrument_key("EIHOTEL"), FUTURE)
    }
    assert counts == {"NSE:RELIANCE": [360, 6], "NSE:EIHOTEL": [375, 7], str(FUTURE): [385, 7]}
    day = await market.history(instrument_key("RELIANCE"), Interval.D1, 1, at(f"{DAY} 15:15"))
    assert len(day) == 1, "an auction stock's day is over at 15:15"
    assert await market.history(FUTURE, Interval.D1, 1, at(f"{DAY} 15:39")) == []


async def test_ticks_play_by_venue_too(tmp_path: Path) -> None:
    clocks = ["09:15:01", "15:14:59", "15:15:00", "15:28:30", "15:29:59", "15:30:00", "15:39:59", "15:40:00"]
    rows = [
        f"{DAY} {clock},{symbol},100,{n + 1}"
        for n, clock in enumerate(clocks)
        for symbol in ("RELIANCE", "EIHOTEL", "NIFTY26D0126000CE")
    ]
    path = tmp_path / "ticks.csv"
    path.write_text("\n".join(["timestamp,symbol,last_price,volume", *rows]) + "\n", encoding="utf-8")
    market = replay(path)
    ticks = [t for b in await batches_of(market) if isinstance(b, TickBatch) for t in b.ticks]
    last = {t.key: f"{t.at:%H:%M:%S}" for t in ticks}
    assert last == {"NSE:RELIANCE": "15:14:59", "NSE:EIHOTEL": "15:29:59", OPTION: "15:39:59"}
    assert market.flaws == {"off_session": 6 + 3 + 1}


async def test_a_recorded_day_that_the_owner_closes_is_left_out(tmp_path: Path) -> None:
    candles(tmp_path, "SBIN", DAY, "09:15", 10)
    later = tmp_path / "later"
    later.mkdir()
    candles(later, "SBIN", "2026-11-25", "09:15", 10)
    market = replay(tmp_path)
    playing = market.batches(market.starts_at)
    await anext(playing)
    market.calendar.close(date(2026, 11, 25), "mourning")
    rest = [b async for b in playing]
    assert rest[-1] == Silence(at(f"{DAY} 15:40"))


@pytest.mark.parametrize(
    ("symbol", "venue"),
    [
        ("RELIANCE", Venue.AUCTION_STOCK),
        ("ADANIPORTS-EQ", Venue.AUCTION_STOCK),  # no simulated one, but a member of the NIFTY 50
        ("EIHOTEL", Venue.STOCK),
        ("ZENSARTECH", Venue.STOCK),
        ("NIFTY 50", Venue.STOCK),
        ("M&M26NOVFUT", Venue.DERIVATIVE),
        ("NIFTY26D0126000CE", Venue.OPTION),
    ],
)
def test_a_recorded_symbol_keeps_its_venues_hours(symbol: str, venue: Venue) -> None:
    assert venue_of(instrument_of(symbol)) is venue


@pytest.mark.parametrize(
    ("symbol", "underlying", "expiry", "strike", "kind"),
    [
        ("NIFTY26D0126000CE", "NIFTY", date(2026, 12, 1), "26000", OptionType.CALL),
        ("NIFTY2511623300PE", "NIFTY", date(2025, 1, 16), "23300", OptionType.PUT),
        ("NIFTY25O0725000CE", "NIFTY", date(2025, 10, 7), "25000", OptionType.CALL),
        ("BANKNIFTY26NOV60000PE", "BANKNIFTY", None, "60000", OptionType.PUT),  # a month says no day
        ("NIFTYNXT5026NOV65000CE", "NIFTYNXT50", None, "65000", OptionType.CALL),
        ("360ONE26NOV1012.5PE", "360ONE", None, "1012.5", OptionType.PUT),
        ("BAJAJ-AUTO26NOVFUT", "BAJAJ-AUTO", None, None, None),
    ],
)
def test_a_contracts_name_says_what_it_is(
    symbol: str, underlying: str, expiry: date | None, strike: str | None, kind: OptionType | None
) -> None:
    found = instrument_of(symbol)
    assert found.exchange is Exchange.NFO
    assert found.segment is (Segment.OPTIONS if kind else Segment.FUTURES)
    assert (found.underlying, found.expiry, found.option_type) == (underlying, expiry, kind)
    assert found.strike == (Decimal(strike) if strike else None)


def test_the_contracts_of_the_bse_are_its_own() -> None:
    assert instrument_of("SENSEX26N2685000CE").key == "BFO:SENSEX26N2685000CE"


@pytest.mark.parametrize("symbol", ["3MINDIA", "NIFTY 50", "20MICRONS", "SPICE", "NIFTY26NOT26000CE"])
def test_what_is_no_contracts_name_is_a_cash_instrument(symbol: str) -> None:
    assert instrument_of(symbol).exchange is Exchange.NSE


def test_a_recorded_contract_has_the_lot_of_its_day(tmp_path: Path) -> None:
    candles(tmp_path, "NIFTY26D0126000CE", DAY, "09:15", 5)
    (instrument,) = replay(tmp_path).instruments()
    assert (instrument.lot_size, instrument.freeze_quantity) == (65, 1800)
