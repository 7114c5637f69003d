"""Replaying small recordings written here, with every flaw a recording can have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from trader.domain.errors import FeedError, UnknownName
from trader.domain.instrument import instrument_key
from trader.domain.market import Bar, Interval, Tick
from trader.domain.times import IST
from trader.feed.port import BarBatch, Batch, Feed, Silence, TickBatch
from trader.feed.replay import ReplayMarket
from trader.market.calendar import Calendar, Phase

CALENDAR = Calendar.load()
MINUTE = timedelta(minutes=1)
SBIN, TCS = instrument_key("SBIN"), instrument_key("TCS")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


def candles(
    folder: Path, name: str, rows: Sequence[str], header: str = "date,open,high,low,close,volume"
) -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def minutes(day: str, first: str, count: int, price: float = 100.0) -> list[str]:
    start = at(f"{day} {first}")
    return [
        f"{start + i * MINUTE:%Y-%m-%d %H:%M:%S}+05:30,{price},{price + 1},{price - 1},{price + 0.5},{10 + i}"
        for i in range(count)
    ]


def replay(path: Path | str) -> ReplayMarket:
    return ReplayMarket.from_path(path, CALENDAR)


async def everything(market: ReplayMarket, since: datetime | None = None) -> list[Batch]:
    return [batch async for batch in market.batches(since or market.starts_at)]


async def bars_of(market: ReplayMarket) -> list[Bar]:
    return [bar for b in await everything(market) if isinstance(b, BarBatch) for bar in b.bars]


async def test_candles_come_minute_by_minute_with_the_night_jumped_over(tmp_path: Path) -> None:
    candles(
        tmp_path, "SBIN_minute.csv", [*minutes("2023-05-02", "09:15", 2), *minutes("2023-05-04", "09:15", 1)]
    )
    candles(tmp_path, "TCS_minute.csv", minutes("2023-05-02", "09:16", 1, price=3200))
    market: Feed = replay(tmp_path)
    assert isinstance(market, ReplayMarket)
    batches = await everything(market)
    assert [type(b).__name__ for b in batches] == [
        "BarBatch",
        "BarBatch",
        "Silence",
        "Silence",
        "BarBatch",
        "Silence",
    ]
    second = batches[1]
    assert isinstance(second, BarBatch)
    assert (second.start, second.end) == (at("2023-05-02 09:16"), at("2023-05-02 09:17"))
    assert [b.key for b in second.bars] == [SBIN, TCS]
    assert second.bars[0] == Bar(SBIN, Interval.M1, at("2023-05-02 09:16"), 100.0, 101.0, 99.0, 100.5, 11)
    assert [b.at for b in batches if isinstance(b, Silence)] == [
        at("2023-05-02 15:30"), at("2023-05-04 09:15"), at("2023-05-04 15:30"),
    ]  # fmt: skip
    assert market.flaws == {}
    assert not market.calendar.is_trading_day(date(2023, 5, 3)), "nobody recorded anything that day"


async def test_since_leaves_out_what_began_before_it(tmp_path: Path) -> None:
    market = replay(candles(tmp_path, "SBIN_minute.csv", minutes("2023-05-02", "09:15", 4)))
    starts = [b.start for b in await everything(market, at("2023-05-02 09:16:30")) if isinstance(b, BarBatch)]
    assert starts == [at("2023-05-02 09:17"), at("2023-05-02 09:18")]
    assert await everything(market, at("2023-05-02 15:30")) == []


async def test_chosen_days_are_replayed_and_earlier_ones_are_history(tmp_path: Path) -> None:
    rows = [row for day in ("02", "03", "04") for row in minutes(f"2023-05-{day}", "09:15", 375)]
    path = candles(tmp_path, "SBIN_minute.csv", rows)
    market = replay(f"{path}?day=2023-05-03")
    assert market.starts_at == at("2023-05-03 09:15")
    assert market.ends_at == at("2023-05-03 15:30")
    assert len(await bars_of(market)) == 375
    history = await market.history(SBIN, Interval.M1, 500, market.starts_at)
    assert (len(history), history[-1].start) == (375, at("2023-05-02 15:29"))
    assert len(await bars_of(replay(f"{path}?from=2023-05-03&to=2023-05-04"))) == 750
    assert len(await bars_of(replay(f"{path}?to=2023-05-02"))) == 375


async def test_history_merges_and_holds_closed_bars_only(tmp_path: Path) -> None:
    rows = [row for day in ("02", "03") for row in minutes(f"2023-05-{day}", "09:15", 375)]
    market = replay(candles(tmp_path, "SBIN_minute.csv", rows))
    five = await market.history(SBIN, Interval.M5, 3, at("2023-05-03 09:24:59"))
    assert [b.start for b in five] == [at("2023-05-02 15:20"), at("2023-05-02 15:25"), at("2023-05-03 09:15")]
    assert five[-1] == Bar(SBIN, Interval.M5, at("2023-05-03 09:15"), 100.0, 101.0, 99.0, 100.5, 60)
    day = await market.history(SBIN, Interval.D1, 9, at("2023-05-03 15:29"))
    assert [(b.start, b.volume) for b in day] == [(at("2023-05-02 09:15"), sum(range(10, 385)))]
    with pytest.raises(UnknownName, match="Did you mean NSE:SBIN"):
        await market.history(instrument_key("SBI"), Interval.M1, 1, market.starts_at)


async def test_candles_too_large_for_the_interval_asked_for_are_refused(tmp_path: Path) -> None:
    market = replay(candles(tmp_path, "SBIN_5minute.csv", minutes("2023-05-02", "09:15", 1)))
    with pytest.raises(FeedError, match="made of 5m candles"):
        await market.history(SBIN, Interval.M1, 1, market.ends_at)


async def test_day_candles_span_their_session(tmp_path: Path) -> None:
    rows = ["2023-05-02,100,110,90,105,1000", "2023-05-06,100,110,90,105,1000"]  # a Saturday proves itself
    market = replay(candles(tmp_path, "SBIN_day.csv", rows))
    first = (await everything(market))[0]
    assert isinstance(first, BarBatch)
    assert (first.start, first.end) == (at("2023-05-02 09:15"), at("2023-05-02 15:30"))
    assert (first.bars[0].interval, first.bars[0].start) == (Interval.D1, first.start)
    assert market.calendar.is_trading_day(date(2023, 5, 6))
    assert len(await market.history(SBIN, Interval.D1, 5, at("2023-05-02 15:30"))) == 1
    assert await market.history(SBIN, Interval.D1, 5, at("2023-05-02 15:29")) == []


@pytest.mark.parametrize(
    ("day", "first", "count", "opens", "closes"),
    [
        ("2024-01-20", "09:15", 375, "09:15", "15:30"),  # a Saturday
        ("2021-11-04", "18:15", 60, "18:15", "19:15"),  # Muhurat on a weekday evening
        ("2021-02-24", "09:15", 465, "09:15", "17:00"),  # the outage: trading went on till five
        ("2023-05-02", "09:15", 380, "09:15", "15:30"),  # five stray minutes prove nothing
    ],
)
async def test_the_recording_proves_its_sessions(
    tmp_path: Path, day: str, first: str, count: int, opens: str, closes: str
) -> None:
    market = replay(candles(tmp_path, "SBIN_minute.csv", minutes(day, first, count)))
    assert market.calendar.session(date.fromisoformat(day)) == (at(f"{day} {opens}"), at(f"{day} {closes}"))
    for batch in await everything(market):
        if isinstance(batch, BarBatch):
            assert market.calendar.phase(batch.start) is Phase.OPEN
    assert market.flaws == ({"off_session": 5} if count == 380 else {})


async def test_flawed_candles_are_repaired_or_dropped_and_counted(tmp_path: Path) -> None:
    good = "2023-05-02 09:{}:00+05:30,100,101,99,100.5,10"
    rows = [
        good.format(15),
        good.format(17),
        good.format(16),  # unsorted
        "2023-05-02 09:16:00+05:30,200,201,199,200.5,10",  # the same minute again: the first stays
        "2023-05-02 09:18:00+05:30,100,100.5,99.5,101.10000000000001,10",  # close above high
        "2023-05-02 09:19:00+05:30,0,101,99,100,10",
        "2023-05-02 09:20:00+05:30,,101,99,100,10",
        "2023-05-02 09:21:00+05:30,100,101,-99,100,10",
        "2023-05-02 09:22:00+05:30,100,101,99,100,-5",
        "2023-05-02 09:23:00+05:30,1,1.1,0.9,1,10",  # another security's price
        "1970-01-01 05:30:00+05:30,100,101,99,100,10",
        "2023-05-02 09:08:00+05:30,100,101,99,100,10",  # pre-open
    ]
    market = replay(candles(tmp_path, "SBIN_minute.csv", rows))
    bars = await bars_of(market)
    assert [f"{b.start:%H:%M}" for b in bars] == ["09:15", "09:16", "09:17", "09:18", "09:22"]
    assert bars[1].open == 100
    assert (bars[3].high, bars[3].close) == (101.1, 101.1), "to the paisa, without the recorder's noise"
    assert bars[4].volume == 0
    assert market.flaws == {
        "bad_price": 3, "bad_volume": 1, "duplicate": 1, "implausible": 1, "off_session": 1, "ohlc": 1,
        "unreadable_time": 1, "unsorted": 2,
    }  # fmt: skip


def ticks_file(
    folder: Path, rows: Sequence[tuple[str, str, float, float]], name: str = "ticks_2023.parquet"
) -> Path:
    path = folder / name
    table = pa.table(
        {
            "timestamp": pa.array([at(t) for t, *_ in rows], pa.timestamp("us", tz="Asia/Kolkata")),
            "symbol": [symbol for _, symbol, *_ in rows],
            "last_price": [price for *_, price, _ in rows],
            "volume": [volume for *_, volume in rows],
        }
    )
    pyarrow.parquet.write_table(table, path)
    return path


async def test_ticks_of_one_second_come_together_in_time_order(tmp_path: Path) -> None:
    day = "2023-05-02 "
    path = ticks_file(
        tmp_path,
        [
            (day + "09:15:01.200", "TCS", 3200.1, 5),
            (day + "09:15:01.100", "SBIN", 570.0, 7),
            (day + "09:15:01.100", "SBIN", 570.0, 7),  # twice
            (day + "09:15:01.300", "SBIN", 570.25, 9),
            (day + "09:15:02.000", "SBIN", float("nan"), 9),
            (day + "09:15:03.000", "SBIN", 570.3, 12),
            (day + "09:16:00.000", "SBIN", 570.2, 14),
            (day + "16:00:00.000", "SBIN", 570.2, 14),
        ],
    )
    market = replay(path)
    assert market.interval is None
    batches = await everything(market)
    assert batches[0] == TickBatch(
        at(day + "09:15:01.300"),
        [
            Tick(SBIN, at(day + "09:15:01.100"), 570.0, 7),
            Tick(TCS, at(day + "09:15:01.200"), 3200.1, 5),
            Tick(SBIN, at(day + "09:15:01.300"), 570.25, 9),
        ],
    )
    assert [b.at for b in batches[1:] if isinstance(b, TickBatch)] == [
        at(day + "09:15:03"),
        at(day + "09:16"),
    ]
    assert batches[-1] == Silence(at(day + "15:30"))
    assert market.flaws == {"bad_price": 1, "duplicate": 1, "off_session": 1}
    minute = Bar(SBIN, Interval.M1, at(day + "09:15"), 570.0, 570.3, 570.0, 570.3, 12)
    assert await market.history(SBIN, Interval.M1, 9, at(day + "09:16:30")) == [minute]


async def test_a_few_ticks_on_a_saturday_are_a_test_of_the_exchange_not_a_session(tmp_path: Path) -> None:
    rows = [("2023-05-05 09:15:00", "SBIN", 570.0, 1.0), ("2023-05-06 11:00:00", "SBIN", 900.0, 2.0)]
    market = replay(ticks_file(tmp_path, rows))
    assert not market.calendar.is_trading_day(date(2023, 5, 6))
    hour = [(f"2023-05-06 11:{m:02}:00", "SBIN", 570.0, float(m + 1)) for m in range(60)]
    market = replay(ticks_file(tmp_path, hour))
    assert market.calendar.session(date(2023, 5, 6)) == (at("2023-05-06 11:00"), at("2023-05-06 12:00"))


@pytest.mark.parametrize(
    ("times", "ok"),
    [
        ("2023-05-02 09:15:00", True),  # the exchange's zone is meant
        ("2023-05-02T09:15:00+05:30", True),
        ("2023-05-02T03:45:00Z", True),
        ("2023-05-02T09:15:00+0530", True),
        ("02/05/2023 09:15", False),
        ("1683000000", False),
    ],
)
async def test_times_are_read_as_people_write_them_or_refused(tmp_path: Path, times: str, ok: bool) -> None:
    path = candles(tmp_path, "SBIN_minute.csv", [f"{times},100,101,99,100,10"])
    if not ok:
        with pytest.raises(FeedError, match="Expected times like"):
            replay(path)
        return
    assert [b.start for b in await bars_of(replay(path))] == [at("2023-05-02 09:15")]


async def test_names_and_columns_may_vary(tmp_path: Path) -> None:
    rows = [f"SBIN,2023-05-02 09:{15 + 3 * i}:00,100,101,99,100,10" for i in range(3)]
    path = candles(tmp_path, "mine.csv", rows, header="TradingSymbol,Datetime,Open,High,Low,Close,Volume")
    market = replay(path)
    assert market.interval is Interval.M3, "by the distance of its candles"
    assert [i.key for i in market.instruments()] == [SBIN]
    plain = candles(tmp_path, "ZENSARTECH.csv", [r.partition(",")[2] for r in rows])
    assert [i.symbol for i in replay(plain).instruments()] == ["ZENSARTECH"]


def test_the_tick_size_gets_as_fine_as_the_recorded_prices(tmp_path: Path) -> None:
    def tick(name: str, price: float) -> Decimal:
        return (
            replay(candles(tmp_path, name, minutes("2023-05-02", "09:15", 1, price)))
            .instruments()[0]
            .tick_size
        )

    assert tick("TCS_minute.csv", 3200.1) == Decimal("0.10")
    assert tick("TCS_minute.csv", 3200.05) == Decimal("0.05"), "as in 2023"
    assert tick("TCS_minute.csv", 3200.02) == Decimal("0.01"), "adjusted for a dividend"


def test_one_symbol_in_two_files_is_one_series(tmp_path: Path) -> None:
    one = candles(tmp_path, "SBIN_minute_a.csv", minutes("2023-05-02", "09:15", 3))
    two = candles(tmp_path, "SBIN-EQ_minute_b.csv", minutes("2023-05-02", "09:17", 3))
    market = replay(f"{two}, {one}")
    assert len(market.instruments()) == 1
    assert market.flaws == {"duplicate": 1, "unsorted": 1}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "date,close\n2023-05-02,1\n", "Expected candles .* found the columns date, close"),
        ("a.csv", "date,time,open,high,low,close\n2023-05-02,09:15,1,1,1,1\n", "date and time in one column"),
        ("a.csv", "timestamp,symbol,strike,ltp\n2023-05-02 09:15:00,NIFTY,25000,1\n", "option chain"),
        ("a.csv", "date,open,high,low,close\n2023-05-02 09:15:00,1,1,1,1\n", "candle interval in the name"),
        ("ticks.csv", "timestamp,ltp\n2023-05-02 09:15:00,1\n", "symbol column or a name"),
        ("SBIN_minute.csv", "date,open,high,low,close\n2023-05-02 09:15:00,0,0,0,0\n", "nothing usable"),
        ("SBIN_minute.csv", "", "could not read"),
        ("SBIN_minute.parquet", "not parquet at all", "could not read"),
        ("SBIN_minute.xlsx", "", r"Expected a \.parquet"),
    ],
)
def test_what_cannot_be_replayed_says_what_was_expected_and_found(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(FeedError, match=message):
        replay(tmp_path / name)


@pytest.mark.parametrize(
    ("suffix", "message"),
    [
        ("/none.csv", "no such file"),
        ("/*.parquet", "no such file"),
        ("?day=2023-13-01", "Expected a day like"),
        ("?date=2023-05-02", "Expected day, from or to"),
        ("?from=2023-05-03&to=2023-05-02", "no later"),
        ("?day=2023-05-09", "found 2023-05-02 to 2023-05-02"),
    ],
)
def test_a_path_that_chooses_nothing_says_why(tmp_path: Path, suffix: str, message: str) -> None:
    candles(tmp_path, "SBIN_minute.csv", minutes("2023-05-02", "09:15", 3))
    with pytest.raises(FeedError, match=message):
        replay(f"{tmp_path}{suffix}")


def test_folders_wildcards_and_lists_choose_the_same(tmp_path: Path) -> None:
    for symbol in ("SBIN", "TCS"):
        candles(tmp_path, f"{symbol}_minute.csv", minutes("2023-05-02", "09:15", 3))
    (tmp_path / "README.md").write_text("not data")
    for spec in (
        str(tmp_path),
        f"{tmp_path}/*_minute.csv",
        f"{tmp_path}/SBIN_minute.csv,{tmp_path}/T?S_minute.csv?day=2023-05-02",
    ):
        assert [i.key for i in replay(spec).instruments()] == [SBIN, TCS]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FeedError, match="found none"):
        replay(tmp_path / "empty")


def test_mixed_kinds_are_refused(tmp_path: Path) -> None:
    candles(tmp_path, "SBIN_minute.csv", minutes("2023-05-02", "09:15", 3))
    candles(tmp_path, "TCS_5minute.csv", minutes("2023-05-02", "09:15", 3))
    with pytest.raises(FeedError, match=r"1m in SBIN_minute\.csv and 5m in TCS_5minute\.csv"):
        replay(tmp_path)
