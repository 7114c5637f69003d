"""From a closed candle to the order on its way, the intent fsynced in between, against a bare SQLite commit
of one row with the same durability."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import time
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from trader.domain.instrument import instrument_key
from trader.domain.order import (
    Order,
    OrderRequest,
    OrderState,
    OrderType,
    Owner,
    Product,
    Purpose,
    Side,
    Tag,
)
from trader.domain.records import OrderEvent, RiskCounters
from trader.domain.times import IST

AT = datetime(2026, 11, 23, 9, 30, tzinfo=IST)
COUNT = 300


def bare_database(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE intent (tag TEXT PRIMARY KEY, body TEXT)")
    return connection


def bare_commit(connection: sqlite3.Connection, number: int) -> float:
    """Seconds."""
    began = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO intent VALUES (?, ?)", (f"M{number}", "x" * 200))
    connection.execute("COMMIT")
    return time.perf_counter() - began


def bare_commits(path: Path) -> list[float]:
    connection = bare_database(path)
    taken = [bare_commit(connection, number) for number in range(COUNT)]
    connection.close()
    return taken


async def ledger_commits(path: Path) -> list[float]:
    """The three records of an intent, as the desk writes them."""
    from storage.engines import sqlite_url
    from storage.ledger import SqlLedger

    ledger = SqlLedger(sqlite_url(path))
    await ledger.open()
    taken = []
    for number in range(COUNT):
        records = _intent(number)
        began = time.perf_counter()
        await ledger.commit(records)
        taken.append(time.perf_counter() - began)
    await ledger.close()
    return taken


def _intent(number: int) -> list[Order | OrderEvent | RiskCounters]:
    tag, at = Tag(f"MBEN261123{number:06d}"), AT + timedelta(seconds=number)
    request = OrderRequest(
        tag,
        Owner("bench"),
        instrument_key("SBIN"),
        Side.BUY,
        10,
        OrderType.MARKET,
        Product.MIS,
        Purpose.ENTRY,
        at,
    )
    order = Order(request, OrderState.INTENT, at, 10, OrderType.MARKET, None, None, Purpose.ENTRY)
    return [
        order,
        OrderEvent(tag, 1, at, None, OrderState.INTENT, ""),
        RiskCounters(at.date(), entries=number),
    ]


def spread(taken: list[float]) -> str:
    """Also the quick ones: they are the program's own, where the others wait for a disk that is shared."""
    cut = [seconds * 1000 for seconds in statistics.quantiles(taken, n=100)]
    return f"p10 {cut[9]:6.2f}   p25 {cut[24]:6.2f}   p50 {cut[49]:6.2f} ms   p99 {cut[98]:6.2f} ms"


def main() -> None:
    with TemporaryDirectory() as folder:
        bare = bare_commits(Path(folder) / "bare.db")
        ours = asyncio.run(ledger_commits(Path(folder) / "ours.db"))
    print(f"a durable intent (order, journal line, counters), {COUNT} times:")
    for name, taken in (("bare SQLite commit of one row", bare), ("the ledger's commit", ours)):
        print(f"  {name:30} {spread(taken)}")
    print(f"  ratio of the medians           {statistics.median(ours) / statistics.median(bare):6.1f}")


if __name__ == "__main__":
    main()
