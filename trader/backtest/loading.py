"""Candles out of files, as backtests take them: cleaned as a replay's are, of the wanted instruments and
interval, larger candles made of smaller ones where there are no others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np

from trader.backtest.adjusting import adjusted
from trader.backtest.past import Past
from trader.domain.errors import FeedError, InvalidInput, nearest
from trader.domain.instrument import Instrument, InstrumentKey, symbol_of, symbols_text
from trader.domain.market import Interval
from trader.domain.times import IST
from trader.feed import files
from trader.feed.bars import divides
from trader.feed.cleaning import Series, clean, in_session, micros, moment, recorded_calendar
from trader.feed.selection import select
from trader.market.calendar import Calendar
from trader.market.phases import venue_of
from trader.market.symbols import instrument_of
from trader.strategy.bars import Bars

# Repairs worth a sentence.
_TOLD = {
    "bad_price": "{} left out without a possible price",
    "implausible": "{} left out far from the day's other prices",
    "ohlc": "{} widened to hold its own open and close",
}

_COMPLETE = 0.95  # of the days of the others


def load(
    path: str | Path,
    keys: Sequence[InstrumentKey],
    interval: Interval,
    first: date | None = None,
    last: date | None = None,
) -> Past:
    """``path`` as ``feed.selection`` understands it. FeedError names the symbols it has no candles of, or
    only too large ones."""
    flaws: Counter[str] = Counter()
    rows, too_large, others = _rows(path, set(keys), interval, flaws)
    if missing := [key for key in keys if key not in rows]:
        raise FeedError(_none_of(missing, interval, path, too_large, others))
    found: dict[InstrumentKey, tuple[Interval, Series]] = {}
    warnings: list[str] = []
    for key, kinds in rows.items():
        base, kept = _chosen(key, kinds, first, last, flaws)
        kept, said = adjusted(kept)
        warnings += said
        found[key] = base, kept
    every = [series for _, series in found.values()]
    calendar = recorded_calendar(every, min((b for b, _ in found.values()), key=_seconds), Calendar.load())
    data: dict[InstrumentKey, Bars] = {}
    instruments: list[Instrument] = []
    for key, (base, series) in found.items():
        inside = in_session([series], base, calendar, flaws)
        if not inside:
            raise FeedError(f"No candle of {symbol_of(key)} lies in a trading session.")
        data[key] = _bars(inside[0], base, interval, calendar)
        instruments.append(inside[0].instrument)
    warnings += _short({key: len(series.days) for key, (_, series) in found.items()})
    if repaired := [text.format(f"{flaws[name]:,}") for name, text in _TOLD.items() if flaws[name]]:
        warnings.append(f"Of the candles: {', '.join(repaired)}.")
    return Past(data, instruments, calendar, warnings)


def newest(path: str | Path, keys: Sequence[InstrumentKey], interval: Interval) -> date | None:
    """The last day ``load`` would find candles of any of them on; None where there are none."""
    rows, _, _ = _rows(path, set(keys), interval, Counter())
    last = [
        int(part.at.max())
        for kinds in rows.values()
        for parts in kinds.values()
        for part in parts
        if len(part.at)
    ]
    return moment(max(last)).date() if last else None


def _short(days: dict[InstrumentKey, int]) -> list[str]:
    """On symbols that lack many of the days the others have: they were not there to be traded."""
    most = max(days.values(), default=0)
    return [
        f"{symbol_of(key)} has candles on {count:,} of {most:,} days only."
        for key, count in days.items()
        if count < _COMPLETE * most
    ]


_Kinds = dict[Interval, list[files.Rows]]


def _rows(
    path: str | Path, wanted: set[InstrumentKey], interval: Interval, flaws: Counter[str]
) -> tuple[dict[InstrumentKey, _Kinds], dict[InstrumentKey, set[Interval]], set[str]]:
    """Each instrument's rows by the candles that will do, which others it has by its files' names, and the
    symbols nobody asked for."""
    found: dict[InstrumentKey, _Kinds] = {}
    too_large: dict[InstrumentKey, set[Interval]] = {}
    others: set[str] = set()
    for file in select(path).files:
        named, base = files.named(file)
        if named and _names_another(named, wanted):
            if base is None or _serves(base, interval):
                others.add(named)
            continue
        if base is not None and not _serves(base, interval):
            for key in wanted:
                if named == symbol_of(key):
                    too_large.setdefault(key, set()).add(base)
            continue
        contents = files.read(file, flaws)
        if contents.interval is None or not _serves(contents.interval, interval):
            continue
        for part in contents.rows:
            key = instrument_of(part.symbol).key
            if key in wanted:
                found.setdefault(key, {}).setdefault(contents.interval, []).append(part)
            else:
                others.add(symbol_of(key))
    return found, too_large, others


def _none_of(
    missing: Sequence[InstrumentKey],
    interval: Interval,
    path: str | Path,
    too_large: Mapping[InstrumentKey, set[Interval]],
    others: Iterable[str],
) -> str:
    there = sorted({kind for key in missing for kind in too_large.get(key, ())}, key=_seconds)
    instead = f", only {', '.join(there)}" if there else ""
    meant = [near for key in missing if key not in too_large and (near := nearest(symbol_of(key), others))]
    hint = f" Did you mean {', '.join(meant)}?" if meant else ""
    return (
        f"There are no candles of {symbols_text(missing)} that make {interval} ones in {path}{instead}.{hint}"
    )


def _chosen(
    key: InstrumentKey, kinds: _Kinds, first: date | None, last: date | None, flaws: Counter[str]
) -> tuple[Interval, Series]:
    """The candles that have most of the days, of those the largest. FeedError says which days there are."""
    best: tuple[Interval, Series, Counter[str]] | None = None
    there: list[date] = []
    for base in sorted(kinds, key=_seconds, reverse=True):
        own: Counter[str] = Counter()
        series = clean(files.Rows.joined(kinds[base]), base, own)
        if series is None:
            continue
        there += [moment(int(series.at[end])).date() for end in (0, -1)]
        kept = _between(series, first, last)
        if kept is not None and (best is None or len(kept.days) > len(best[1].days)):
            best = base, kept, own
    if best is None:
        days = f": there are those of {min(there)} to {max(there)}" if there else ""
        raise FeedError(f"There are no candles of {symbol_of(key)} on the days asked for{days}.")
    flaws.update(best[2])
    return best[0], best[1]


def _names_another(name: str, wanted: set[InstrumentKey]) -> bool:
    """Whether a file by its name holds one instrument that nobody asked for. Names of files with many are no
    symbols."""
    try:
        key = instrument_of(name).key
    except InvalidInput:
        return False
    return key not in wanted and name.isupper()


def _serves(base: Interval, interval: Interval) -> bool:
    return base is interval or (base.seconds < interval.seconds and divides(base, interval))


def _seconds(interval: Interval) -> int:
    return interval.seconds


def _between(series: Series, first: date | None, last: date | None) -> Series | None:
    low = micros(datetime.combine(first, time(), IST)) if first else None
    high = micros(datetime.combine(last + timedelta(days=1), time(), IST)) if last else None
    keep = np.ones(len(series.at), dtype=np.bool_)
    if low is not None:
        keep &= series.at >= low
    if high is not None:
        keep &= series.at < high
    return series.only(keep) if keep.any() else None


def _bars(series: Series, base: Interval, interval: Interval, calendar: Calendar) -> Bars:
    """On the exchange's grid: candles of a session are counted from its opening."""
    columns = [*series.prices, series.volume.astype(np.float64)]
    key = series.instrument.key
    if base is interval:
        return Bars.of_arrays(key, interval, series.at, *columns)
    length = interval.seconds * 1_000_000
    start = np.empty_like(series.at)
    venue = venue_of(series.instrument)
    for day, where in series.days.items():
        session = calendar.session(day, venue)
        assert session is not None  # noqa: S101 - what lies in no session is gone
        opens = micros(session.opens_at)
        whole = series.at[where] - opens
        start[where] = opens if interval is Interval.D1 else opens + whole // length * length
    heads = np.flatnonzero(np.diff(start, prepend=start[0] - 1))
    opening, high, low, close, volume = columns
    tails = np.append(heads[1:], len(start)) - 1
    return Bars.of_arrays(
        key,
        interval,
        start[heads],
        opening[heads],
        np.maximum.reduceat(high, heads),
        np.minimum.reduceat(low, heads),
        close[tails],
        np.add.reduceat(volume, heads),
    )
