"""Real recordings of every family, where they are at hand; nothing of them is copied into the project."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from random import Random

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trader.domain.errors import FeedError
from trader.domain.instrument import Segment, instrument_key
from trader.domain.market import Bar, Interval
from trader.domain.money import decimal_of
from trader.domain.times import IST
from trader.feed.aggregator import Aggregator
from trader.feed.port import BarBatch, Silence, TickBatch
from trader.feed.replay import ReplayMarket
from trader.market.calendar import Calendar, Phase

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
CALENDAR = Calendar.load()
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recordings of ../shared are not here")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


async def play(market: ReplayMarket, interval: Interval | None = None) -> tuple[list[Bar], int]:
    """The watched bars (or the recorded ones) and the number of rows; time, price and phase are checked."""
    aggregator = Aggregator(market.calendar)
    for instrument in market.instruments():
        aggregator.watch(instrument.key, interval or market.interval or Interval.M1)
    bars: list[Bar] = []
    rows, now = 0, market.starts_at
    async for batch in market.batches(market.starts_at):
        begins = batch.start if isinstance(batch, BarBatch) else batch.at
        assert begins >= now
        now = batch.end if isinstance(batch, BarBatch) else batch.at
        match batch:
            case TickBatch():
                assert market.calendar.phase(now) is Phase.OPEN
                assert all(0 < t.last < math.inf for t in batch.ticks)
                rows += len(batch.ticks)
                bars += aggregator.on_ticks(batch.ticks)
            case BarBatch():
                assert market.calendar.phase(begins) is Phase.OPEN
                assert [b.key for b in batch.bars] == sorted({b.key for b in batch.bars})
                rows += len(batch.bars)
                for bar in batch.bars:
                    assert 0 < bar.low <= min(bar.open, bar.close)
                    assert max(bar.open, bar.close) <= bar.high < math.inf
                    bars += aggregator.on_bar(bar)
        bars += aggregator.on_time(now)
    assert isinstance(batch, Silence), "the recording ends with its last session's close"
    return bars, rows


async def test_a_day_of_kite_minutes_comes_exactly_as_recorded() -> None:
    path = DATA / "minute/stocks/HDFCBANK_minute_2023-04_2023-06.parquet"
    market = ReplayMarket.from_path(f"{path}?day=2023-05-02", CALENDAR)
    bars, rows = await play(market)
    table = pq.read_table(path)
    table = table.filter(pc.equal(pc.strftime(table["date"], "%Y-%m-%d"), "2023-05-02"))
    recorded = zip(
        *(table[c].to_pylist() for c in ("date", "open", "high", "low", "close", "volume")), strict=True
    )
    assert rows == 375
    assert market.flaws == {}
    assert [tuple(b[2:]) for b in bars] == list(recorded)


async def test_minutes_merge_into_kites_own_fifteen_minutes() -> None:
    fine = ReplayMarket.from_path(f"{DATA}/minute/index/NIFTY_BANK_minute_2023-04_2023-06.parquet", CALENDAR)
    coarse = ReplayMarket.from_path(f"{DATA}/15minute/index/NIFTY_BANK_15minute_2015-2024.parquet", CALENDAR)
    key = instrument_key("NIFTY BANK")
    before = at("2023-05-31 15:30")
    made, recorded = [await m.history(key, Interval.M15, 500, before) for m in (fine, coarse)]
    assert [b.start for b in made] == [b.start for b in recorded]
    assert sum(a[3:7] == b[3:7] for a, b in zip(made, recorded, strict=True)) > 490


async def test_a_day_of_many_symbols() -> None:
    market = ReplayMarket.from_path(DATA / "minute/oneday/nifty50_stocks_minute_2025-06-20.parquet", CALENDAR)
    bars, rows = await play(market)
    assert (len(market.instruments()), rows, market.flaws) == (47, 17_610, {})
    for instrument in market.instruments():
        assert all(instrument.on_tick(decimal_of(b.close)) for b in bars if b.key == instrument.key)


async def test_ticks_of_2021_build_the_bars_that_others_built_of_them() -> None:
    ticks = ReplayMarket.from_path(DATA / "ticks/1hz_2021/ticks_2021-04-28.parquet", CALENDAR)
    bars, rows = await play(ticks, Interval.M1)
    assert rows == 246_593
    assert set(ticks.flaws) == {"off_session"}, "ticks run on after 15:30"
    built = ReplayMarket.from_path(f"{DATA}/minute/stocks_from_ticks/SBIN_*.parquet?day=2021-04-28", CALENDAR)
    theirs, _ = await play(built)
    mine = [b for b in bars if b.key == instrument_key("SBIN")]
    assert [b.start for b in mine] == [b.start for b in theirs]
    same = sum(a[3:] == b[3:] for a, b in zip(mine, theirs, strict=True))
    assert same >= len(mine) - 3
    assert await ticks.history(instrument_key("SBIN"), Interval.M1, 400, ticks.ends_at) == mine


@pytest.mark.parametrize(
    ("files", "symbols", "segment", "rows"),
    [
        ("ticks/kite_ws", 5, Segment.OPTIONS, 107_555),  # stamps in microseconds, no volume
        ("ticks/angel_2025/ticks_2025-06-16.parquet", 3, Segment.EQUITY, None),
        ("ticks/futures_depth_2025", 4, Segment.EQUITY, None),
        ("ticks/nse_index_1s_2022/NIFTY_50_1s_2022-11-10.parquet", 1, Segment.INDEX, None),
    ],
)
async def test_other_tick_recordings(files: str, symbols: int, segment: Segment, rows: int | None) -> None:
    market = ReplayMarket.from_path(DATA / files, CALENDAR)
    bars, played = await play(market, Interval.M1)
    assert len(market.instruments()) == symbols
    assert segment in {i.segment for i in market.instruments()}
    assert rows is None or played == rows
    assert bars
    assert len({(b.key, b.start) for b in bars}) == len(bars)


@pytest.mark.parametrize(
    ("files", "interval"),
    [
        ("5minute/stocks/HDFCBANK_*", Interval.M5),
        ("15minute/stocks/TCS_*", Interval.M15),
        ("60minute/stocks/AXISBANK_*", Interval.H1),
        ("day/stocks/AXISBANK_*", Interval.D1),
        ("day_unadjusted/stocks/AXISBANK_*", Interval.D1),
        ("minute/licensed_sample/*", Interval.M1),
        ("options/nifty_2025-01/*", Interval.M1),
    ],
)
async def test_candle_recordings(files: str, interval: Interval) -> None:
    market = ReplayMarket.from_path(DATA / files, CALENDAR)
    assert market.interval is interval
    bars, rows = await play(market)
    assert rows == len(bars) > 500
    assert set(market.flaws) <= {"ohlc"}


async def test_special_sessions_are_open_because_they_were_recorded() -> None:
    five = ReplayMarket.from_path(DATA / "5minute/stocks/SBIN_5minute_2023-07_2024-06.parquet", CALENDAR)
    sessions = {
        day: five.calendar.session(day) for day in (date(2023, 11, 12), date(2024, 1, 20), date(2024, 3, 2))
    }
    assert sessions[date(2023, 11, 12)] == (at("2023-11-12 18:15"), at("2023-11-12 19:15"))
    assert sessions[date(2024, 1, 20)] is not None
    assert sessions[date(2024, 3, 2)] is not None
    assert not five.calendar.is_trading_day(date(2024, 1, 26)), "Republic Day has no rows"
    index = f"{DATA}/minute/index/NIFTY_50_minute_2015-2021.parquet"
    outage = ReplayMarket.from_path(f"{index}?day=2021-02-24", CALENDAR)
    assert outage.ends_at == at("2021-02-24 17:00")
    assert (await play(outage))[1] == 128


@pytest.mark.parametrize(
    "files",
    ["options/nifty_2025-10", "options/bank_atm_2023-04", "options/nifty_chain_2026-08", "instruments", "."],
)
def test_what_is_no_recording_of_single_instruments_is_refused(files: str) -> None:
    with pytest.raises(FeedError, match="Expected"):
        ReplayMarket.from_path(DATA / files, CALENDAR)


async def test_another_securitys_prices_never_come_through() -> None:
    market = ReplayMarket.from_path(DATA / "dirty/NIFTY_BANK_minute_two_corrupt_days.parquet", CALENDAR)
    bars, _ = await play(market)
    assert market.flaws["implausible"] == 707 - len(bars)
    assert all(17_000 < b.low < b.high + 1 < 19_500 for b in bars)


DIRTY = ["ticks_raw_2021-04-30.parquet", "ticks_raw_2021-05-24.parquet", "ticks_raw_2021-06-11.parquet"]


@pytest.mark.parametrize("name", DIRTY)
async def test_raw_ticks_as_found_become_sound_bars(name: str) -> None:
    market = ReplayMarket.from_path(DATA / "dirty" / name, CALENDAR)
    bars, rows = await play(market, Interval.M1)
    assert market.flaws["duplicate"] > 1000
    assert market.starts_at.date() == date.fromisoformat(name[10:20]), "Saturday's test ticks are no session"
    total = pq.read_metadata(DATA / "dirty" / name).num_rows
    assert rows == total - sum(
        n for flaw, n in market.flaws.items() if flaw not in ("unsorted", "ohlc", "bad_volume")
    )
    assert max(Counter((b.key, b.start) for b in bars).values()) == 1


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(DIRTY), st.randoms(use_true_random=True))
async def test_rows_made_dirtier_still_never_give_a_wrong_price(
    tmp_path_factory: pytest.TempPathFactory, name: str, random: Random
) -> None:
    """Slices of raw recordings, shuffled and spoilt."""
    table = pq.read_table(DATA / "dirty" / name)
    start = random.randint(0, table.num_rows - 2000)
    rows = table.slice(start, 2000).to_pylist()
    prices = [float("nan"), float("inf"), 0.0, -1.0, 1e12, 1e306, None, 0.001, 7.0]
    moments = [None, at("1970-01-01 05:30"), at("2050-01-03 10:00"), at("2021-05-01 10:00")]
    for column, spoilt in [("last_price", prices), ("volume", [None, -1, 0, 2**62]), ("timestamp", moments)]:
        for _ in range(random.randint(0, 20)):
            random.choice(rows)[column] = random.choice(spoilt)
    random.shuffle(rows)
    path = tmp_path_factory.mktemp("dirtier") / "ticks.parquet"
    pq.write_table(type(table).from_pylist(rows, schema=table.schema), path)
    try:
        market = ReplayMarket.from_path(path, CALENDAR)
    except FeedError as refusal:
        assert "nothing usable" in str(refusal)  # noqa: PT017 either outcome is right
        return
    bars, _ = await play(market, Interval.M1)
    usual = [
        b for b in bars if b.start.year == 2021
    ]  # a spoilt row alone on its day has nothing to be judged by
    assert all(300 < b.low <= b.high < 20_000 for b in usual)
    assert all(b.low > 0 for b in bars)
    assert all(b.volume >= 0 for b in bars)
