"""Records as CSV."""

from __future__ import annotations

import asyncio
import csv
import io
import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import ledger_samples as sample
import pytest

from storage.engines import sqlite_url
from storage.exports import fills_csv, trades_csv
from storage.ledger import SqlLedger
from trader.domain.errors import InvalidInput, LedgerError
from trader.domain.values import replaced
from trader.service.exporting import Export, export

CSV = {"fills": fills_csv, "trades": trades_csv}


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def there(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_fills_are_exported_with_their_value_in_plain_digits() -> None:
    (line,) = read(fills_csv([sample.fill(price="1E+2", charges="0.30")], []))
    assert (line["price"], line["charges"], line["value"]) == ("100", "0.30", "1000")
    assert (line["at"], line["side"], line["reference_price"]) == ("2026-11-23 09:15:00", "BUY", "")


def test_trades_are_exported_with_their_net() -> None:
    (line,) = read(trades_csv([sample.trade()], []))
    assert Decimal(line["net"]) == sample.trade().net
    assert line["reason"] == "target"


def test_a_day_without_trades_is_a_header() -> None:
    assert trades_csv([], []).startswith("trade_id,owner,key,")
    assert trades_csv([], []).count("\n") == 1


def test_each_line_says_whether_it_was_paper_or_money() -> None:
    hour = timedelta(hours=1)
    runs = [
        replaced(sample.session("s1", sample.AT - 2 * hour), market="zerodha", trading="paper"),
        replaced(sample.session("s2", sample.AT + hour), market="zerodha", trading="live"),
    ]
    lines = read(trades_csv([sample.trade(), sample.trade("t2", sample.AT + 2 * hour)], runs))
    assert [(line["market"], line["trading"]) for line in lines] == [
        ("zerodha", "paper"),
        ("zerodha", "live"),
    ]


async def test_the_days_asked_for_are_read_beside_a_running_desk(tmp_path: Path) -> None:
    desk, looking = (SqlLedger(sqlite_url(tmp_path / "munim.db")) for _ in range(2))
    await desk.open()
    try:
        later = sample.AT + timedelta(days=3)
        await desk.commit([sample.session("s1"), sample.trade(), sample.trade("t2", later)])
        await looking.open_to_read()
        asked = Export.meant(["trades", f"{sample.DAY}..{sample.DAY}", str(tmp_path / "t.csv")], sample.DAY)
        text, said = await export(looking, asked, CSV)
        assert [line["trade_id"] for line in read(text)] == ["t1"]
        assert said.startswith("1 trade of 23 Nov 2026 to 23 Nov 2026")
        assert (tmp_path / "t.csv").read_text("utf-8") == text
        with pytest.raises(InvalidInput, match="is there already"):
            await export(looking, asked, CSV)
        whole, _ = await export(looking, Export.meant(["trades"], sample.DAY), CSV)
        assert [line["trade_id"] for line in read(whole)] == ["t1", "t2"]  # of the financial year
    finally:
        await looking.close()
        await desk.close()


def test_where_nothing_was_recorded_nothing_is_made(tmp_path: Path) -> None:
    for file in (tmp_path / "munim.db", tmp_path / "misspelt" / "munim.db"):
        with pytest.raises(LedgerError, match="no records yet"):
            asyncio.run(SqlLedger(sqlite_url(file)).open_to_read())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("running", [False, True])
async def test_records_that_cannot_be_written_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running: bool
) -> None:
    """A copy on a read-only disk, and another user's desk."""
    desk, looking = (SqlLedger(sqlite_url(tmp_path / "a #1?.db")) for _ in range(2))
    await desk.open()
    try:
        await desk.commit([sample.session("s1"), sample.trade()])
        if not running:
            await desk.close()
        before = there(tmp_path)
        # Root may write anywhere, so the system is said to answer what it answers to others.
        monkeypatch.setattr(os, "access", lambda *_: False)
        await looking.open_to_read()
        text, _ = await export(looking, Export.meant(["trades"], sample.DAY), CSV)
        assert [line["trade_id"] for line in read(text)] == ["t1"]
        assert (await looking.standing()).startswith("whole, up to date")
    finally:
        await looking.close()
        await desk.close()
    assert running or there(tmp_path) == before


@pytest.mark.parametrize(
    "words",
    [[], ["orders"], ["trades", "2026-13-01"], ["trades", "2026-12-01..2026-11-01"], ["fills", "a.csv", "b"],
     ["fills", "yesterday"], ["trades", "2026-12-01", "today"]],
)  # fmt: skip
def test_what_cannot_be_meant_is_told(words: list[str]) -> None:
    with pytest.raises(InvalidInput, match=r"[Ee]xpected"):
        Export.meant(words, sample.DAY)
