"""Kite's daily list of 90,000 instruments: reading and indexing it, against ``csv.DictReader`` and the parser
of the ``kiteconnect`` package on the same bytes; look-ups against a plain dictionary's."""

from __future__ import annotations

import csv
import gc
import io
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from trader.market.dump import COLUMNS, DumpTable
from trader.market.instruments import Instruments

DAY = date(2026, 11, 23)
RUNS = 5
WANTED = "NFO:NIFTY26DEC26000CE"
MONTHLY = [date(2026, 11, 24), date(2026, 12, 29), date(2027, 1, 26)]
WEEKLY = [date(2026, 12, 1) + timedelta(weeks=n) for n in range(4)]
INDICES = {"NIFTY": (26_000, 50, 65), "BANKNIFTY": (58_000, 100, 30), "FINNIFTY": (27_000, 50, 60)}
Row = tuple[object, ...]


def rows() -> Iterator[Row]:
    """A list of today's shape: stocks and bonds of both exchanges, some 200 of them with contracts, indices
    with hundreds of strikes an expiry, and other exchanges' rows to be passed over."""
    stocks = [
        f"{a}{b}{c}LTD"[:10] for a in "ABCDEHIJKLMNPRSTUV" for b in "AEIOURNTLS" for c in "ABCDEFGHIJKLM"
    ]
    token = 1_000
    for exchange, count, code in (("NSE", 9_900, 1), ("BSE", 12_000, 4)):
        for n in range(count):
            symbol = stocks[n] if n < len(stocks) else f"{700 + n % 300}BOND{n}-N{n % 9}"
            token += 1
            name = f"{symbol.title()} COMPANY"
            yield token << 8 | code, token, symbol, name, 0.0, "", 0.0, 0.05, 1, "EQ", exchange, exchange
    for symbol in ("NIFTY 50", "NIFTY BANK", "NIFTY FIN SERVICE"):
        token += 1
        yield token << 8 | 9, token, symbol, symbol, 0.0, "", 0.0, 0.0, 0, "EQ", "INDICES", "NSE"
    for underlying, (level, step, lot) in INDICES.items():
        expiries = sorted({*MONTHLY, *(WEEKLY if underlying == "NIFTY" else ())})
        for row in contracts(token, underlying, expiries, level, step, lot, strikes=320):
            token = int(str(row[1]))
            yield row
    for symbol in stocks[:210]:
        for row in contracts(token, symbol, MONTHLY, 1_000, 10, 500, strikes=44):
            token = int(str(row[1]))
            yield row
    while token < 91_000:
        token += 1
        symbol = f"CRUDEOIL26DEC{token}CE"
        yield (
            token << 8 | 5,
            token,
            symbol,
            "CRUDEOIL",
            0,
            "2026-12-15",
            token,
            0.1,
            1,
            "CE",
            "MCX-OPT",
            "MCX",
        )


def contracts(
    token: int, name: str, expiries: list[date], level: int, step: int, lot: int, *, strikes: int
) -> Iterator[Row]:
    for expiry in expiries:
        monthly = expiry in MONTHLY
        stem = f"{name}{expiry:%y%b}".upper() if monthly else f"{name}{expiry:%y}D{expiry:%d}"
        if monthly:
            token += 1
            yield token << 8 | 2, token, f"{stem}FUT", name, 0, expiry, 0, 0.1, lot, "FUT", "NFO-FUT", "NFO"
        for n in range(strikes):
            strike = level + (n - strikes // 2) * step
            for side in ("CE", "PE"):
                token += 1
                symbol = f"{stem}{strike}{side}"
                yield (
                    token << 8 | 2,
                    token,
                    symbol,
                    name,
                    0,
                    expiry,
                    strike,
                    0.05,
                    lot,
                    side,
                    "NFO-OPT",
                    "NFO",
                )


def made() -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows())
    return text.getvalue().encode()


def cpu(work: Callable[[], object], runs: int = RUNS) -> float:
    """Median CPU seconds of a call."""
    taken = []
    for _ in range(runs):
        gc.collect()
        began = time.process_time()
        kept = work()
        taken.append(time.process_time() - began)
        del kept
    return statistics.median(taken)


def by_dict_reader(content: bytes) -> object:
    found = list(csv.DictReader(io.StringIO(content.decode())))
    return {f"{row['exchange']}:{row['tradingsymbol']}": row for row in found}


def by_sdk(content: bytes) -> object:
    from kiteconnect import KiteConnect

    found = KiteConnect("bench")._parse_instruments(content)
    return {f"{row['exchange']}:{row['tradingsymbol']}": row for row in found}


def indexed(table: DumpTable) -> Instruments:
    """Everything a morning needs: keys, tokens, and one contract of every kind looked up."""
    instruments = Instruments.from_dump(table)
    assert instruments.find(WANTED).lot_size == 65
    assert instruments.by_token(instruments.find(WANTED).token) is not None
    instruments.find("NIFTY 26DEC 26000 CE")
    return instruments


def each(work: Callable[[], object], count: int) -> float:
    """Microseconds of one call."""
    work()
    return cpu(lambda: [work() for _ in range(count)], 3) / count * 1e6


def main() -> None:
    content = made()
    indexed(DumpTable.read(content, DAY))  # pyarrow's import is not what is measured
    plain, sdk = cpu(lambda: by_dict_reader(content)), cpu(lambda: by_sdk(content), 3)
    read = cpu(lambda: DumpTable.read(content, DAY))
    whole = cpu(lambda: indexed(DumpTable.read(content, DAY)))
    with TemporaryDirectory() as folder:
        table = DumpTable.read(content, DAY)
        table.save(Path(folder))
        cached = cpu(lambda: DumpTable.load(Path(folder), DAY))
    print(f"{len(table):,} instruments, {len(content) / 1e6:.1f} MB of CSV, CPU seconds, median of {RUNS}:")
    print(f"  csv.DictReader, by key         {plain:7.3f} s")
    print(f"  kiteconnect's parser, by key   {sdk:7.3f} s")
    for label, taken in (("parsed", read), ("parsed and indexed", whole)):
        print(f"  {label:30} {taken:7.3f} s  ({plain / taken:.1f} and {sdk / taken:.1f} times less)")
    print(f"  loaded from the cache          {cached:7.3f} s")
    lookups(indexed(table))


def lookups(instruments: Instruments) -> None:
    wanted = instruments.find(WANTED)
    bare = dict.fromkeys(instruments.by_key)
    key, token = wanted.key, wanted.token
    plain = each(lambda: bare.get(key), 100_000)
    print("a look-up, CPU microseconds:")
    print(f"  a dictionary of the same keys  {plain:9.2f}")
    for label, work, count in (
        ("by key", lambda: instruments.get(key), 100_000),
        ("by token", lambda: instruments.by_token(token), 100_000),
        ("typed symbol", lambda: instruments.find("nifty26dec26000ce"), 10_000),
        ("typed NIFTY 26DEC 26000 CE", lambda: instruments.find("NIFTY 26DEC 26000 CE"), 2_000),
        ("chain of 320 strikes", lambda: instruments.chain("NIFTY"), 20),
        ("search", lambda: instruments.search("nifty 26000 ce"), 20),
        ("a misspelt name", lambda: wrong(instruments, "ABBLTX"), 20),
        ("a name like no other", lambda: wrong(instruments, "SQPXWZ"), 20),
    ):
        taken = each(work, count)
        ratio = f"  ({taken / plain:,.1f} times a dictionary's)" if taken < 1_000 * plain else ""
        print(f"  {label:30} {taken:9.2f}{ratio}")


def wrong(instruments: Instruments, text: str) -> None:
    from trader.domain.errors import UnknownName

    try:
        instruments.find(text)
    except UnknownName:
        return
    raise AssertionError(f"{text} was found")


if __name__ == "__main__":
    main()
