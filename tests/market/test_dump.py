"""Reading Kite's list of instruments, and keeping it for the day."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.market.dump_text import DAY, HEADER, MOCK, REAL_FNO, REAL_NSE, line, lines, text
from trader.domain.errors import FeedError
from trader.domain.instrument import Exchange, Instrument, OptionType, Segment
from trader.market.dump import DumpTable, cached, cached_days
from trader.market.instruments import Instruments


def dump(rows: list[str], as_of: date = DAY) -> DumpTable:
    return DumpTable.read(text(rows), as_of, fewest=1)


def real(path: Path, as_of: date) -> DumpTable:
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    return DumpTable.read(path, as_of, fewest=50)


def plainly(content: bytes) -> list[dict[str, object]]:
    """The same rows by the standard library, with the types of Kite's SDK."""
    rows: list[dict[str, object]] = []
    for row in csv.DictReader(io.StringIO(content.decode())):
        expiry: date | str = row["expiry"]
        if row["expiry"]:
            parts = [int(p) for p in row["expiry"].split("-")]
            expiry = date(*parts) if parts[0] > 31 else date(*reversed(parts))
        typed = {c: int(row[c]) for c in ("instrument_token", "exchange_token", "lot_size")}
        typed |= {c: float(row[c]) for c in ("last_price", "strike", "tick_size")}
        rows.append({**row, **typed, "expiry": expiry})
    return rows


# -- reading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [REAL_NSE, REAL_FNO, MOCK], ids=lambda p: p.name)
def test_a_real_dump_reads_as_the_standard_library_reads_it_in_every_field(path: Path) -> None:
    table = real(path, DAY)
    content = path.read_bytes()
    expected = plainly(gzip.decompress(content) if path.suffix == ".gz" else content)
    assert len(table) == len(expected)
    assert list(table.rows()) == expected


def test_plain_text_gzip_and_a_byte_order_mark_read_the_same(tmp_path: Path) -> None:
    content = text(lines())
    plain = dump(lines())
    (tmp_path / "today.csv.gz").write_bytes(gzip.compress(content))
    for source in (
        gzip.compress(content),
        b"\xef\xbb\xbf" + content,
        tmp_path / "today.csv.gz",
        content.rstrip(),
    ):
        assert list(DumpTable.read(source, DAY, fewest=1).rows()) == list(plain.rows())


def test_columns_may_come_in_another_order_and_with_others_between() -> None:
    table = csv.DictReader(io.StringIO(text(lines()).decode()))
    order = ["isin", *reversed(HEADER.split(","))]
    out = io.StringIO()
    writer = csv.DictWriter(out, order, restval="?")
    writer.writeheader()
    writer.writerows(table)
    assert list(DumpTable.read(out.getvalue().encode(), DAY, fewest=1).rows()) == list(dump(lines()).rows())


GOOD = text(lines())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "expected Kite's instruments as CSV"),
        (b"<!DOCTYPE html><title>502 Bad Gateway</title>", "502 Bad Gateway"),
        (b'{"status":"error","message":"Too many requests"}', "Too many requests"),
        (GOOD.replace(b"tick_size", b"tick"), "columns missing: tick_size"),
        (GOOD[: GOOD.index(b"INFY") + 2], "does not parse"),
        (GOOD.replace(b"256265,", b"2562x65,", 1), "does not parse"),
        (GOOD.replace(b"2026-12-08", b"2026-13-08"), "does not parse"),
        (GOOD.replace(b"0.05,1,EQ", b"0.05,,EQ", 1), "1 rows have no lot_size"),
        (GOOD.replace(b"RELAXO FOOTWEARS", b"RELAXO \xff\xfe"), "does not parse"),
        (gzip.compress(GOOD)[:-200], "gzip is damaged or cut short"),
        (gzip.compress(GOOD)[:60] + b"spoilt" + gzip.compress(GOOD)[66:], "gzip is damaged or cut short"),
        (text([]), "expected at least 100 instruments, were 0"),
        (text(lines()[:20]), "expected at least 100 instruments, were 20"),
    ],
)
def test_what_cannot_be_a_whole_dump_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(FeedError, match=said):
        DumpTable.read(content, DAY, fewest=100)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="cannot be read"):
        DumpTable.read(tmp_path / "none.csv", DAY)


def test_by_default_a_list_shorter_than_the_stocks_of_one_exchange_is_refused() -> None:
    with pytest.raises(FeedError, match="expected at least 5,000"):
        DumpTable.read(GOOD, DAY)


# -- repeats ------------------------------------------------------------------------------------------------


def test_a_row_that_repeats_counts_once() -> None:
    row = line("RELAXO", 738563)
    assert len(Instruments.from_dump(dump([row, row, line("INFY", 408065)]))) == 2


def test_of_a_symbol_with_two_tokens_neither_is_offered() -> None:
    table = dump([line("RELAXO", 1), line("RELAXO", 2), line("INFY", 408065)])
    instruments = Instruments.from_dump(table)
    assert [i.key for i in instruments] == ["NSE:INFY"]
    assert instruments.by_token(1) is instruments.by_token(2) is None
    assert instruments.search("REL") == []
    assert table.indexed().conflicts == ["NSE:RELAXO"]


def test_a_dump_full_of_such_symbols_is_refused() -> None:
    rows = [line(f"STOCK{n}", token) for n in range(101) for token in (2 * n, 2 * n + 1)]
    with pytest.raises(
        FeedError, match="101 instruments stand in the dump with two tokens, as NSE:STOCK0 does"
    ):
        Instruments.from_dump(dump(rows))


def test_a_token_that_two_symbols_claim_finds_neither() -> None:
    instruments = Instruments.from_dump(dump([line("RELAXO", 7), line("INFY", 7), line("TCS", 8)]))
    assert instruments.by_token(7) is None
    assert instruments.find("RELAXO").token == instruments.find("INFY").token == 7
    assert instruments.by_token(8) is instruments.find("TCS")


# -- the instruments made -----------------------------------------------------------------------------------


def test_a_row_becomes_an_instrument() -> None:
    found = Instruments.from_dump(dump(lines()))
    assert found.find("RELIANCE") == Instrument(
        Exchange.NSE, "RELIANCE", 738561, Decimal("0.1"), name="RELIANCE INDUSTRIES", derivatives=True
    )
    assert found.find("RELAXO") == Instrument(
        Exchange.NSE, "RELAXO", 738563, Decimal("0.05"), name="RELAXO FOOTWEARS"
    )
    assert found.find("NIFTY 50") == Instrument(
        Exchange.NSE, "NIFTY 50", 256265, Decimal("0.05"), segment=Segment.INDEX, name="NIFTY 50"
    )
    option = found.find("RELIANCE26DEC1472.5PE")
    assert (option.exchange, option.segment, option.lot_size) == (Exchange.NFO, Segment.OPTIONS, 500)
    assert (option.underlying, option.name) == ("RELIANCE", "RELIANCE")
    assert (option.expiry, option.strike) == (date(2026, 12, 29), Decimal("1472.5"))
    assert option.option_type is OptionType.PUT
    assert option.freeze_quantity is None, "a stock's is not known"
    future = found.find("NIFTY26DECFUT")
    assert (future.segment, future.tick_size, future.lot_size) == (Segment.FUTURES, Decimal("0.1"), 65)
    assert (future.strike, future.option_type, future.freeze_quantity) == (None, None, 1800)
    assert found.find("SENSEX26DEC85000CE").exchange is Exchange.BFO


def test_other_exchanges_rows_are_left_out() -> None:
    table = dump(lines())
    assert len(Instruments.from_dump(table)) == len(table) - 1
    only = Instruments.from_dump(dump([lines()[-1]]))
    assert list(only) == []
    assert only.search("CRUDE") == []


def test_an_instrument_is_made_once_and_iterating_gives_the_same_ones() -> None:
    found = Instruments.from_dump(dump(lines()))
    before = found.find("NIFTY26DEC26000CE")
    assert next(i for i in found if i.symbol == "NIFTY26DEC26000CE") is before
    assert found.by_token(before.token) is before
    assert found.by_key[before.key] is before
    assert found.get(before.key) is before
    assert len(found) == len(list(found)) == len(found.by_key)
    assert len({i.key for i in found}) == len(found)


def test_one_that_is_added_takes_the_place_of_its_row() -> None:
    found = Instruments.from_dump(dump(lines()))
    size = len(found)
    newer = Instrument(Exchange.NSE, "INFY", 5, Decimal("0.10"))
    found.add(newer)
    assert found.find("INFY") is found.by_token(5) is newer
    assert len(found) == size
    found.add(Instrument(Exchange.NSE, "BRANDNEW", 6, Decimal("0.10")))
    assert len(found) == len(list(found)) == size + 1
    assert found.find("BRANDNEW").token == 6


def test_stocks_with_futures_are_marked_and_without_any_futures_all_stocks_are() -> None:
    found = Instruments.from_dump(dump(lines()))
    marked = [i.key for i in found if i.derivatives]
    assert marked == ["NSE:RELIANCE", "BSE:RELIANCE", "NSE:M&M", "NSE:BAJAJ-AUTO"]
    assert found.derivatives_known
    alone = Instruments.from_dump(dump([row for row in lines() if row.endswith((",NSE", ",BSE"))]))
    assert not alone.derivatives_known
    assert {i.derivatives for i in alone if i.segment is Segment.EQUITY} == {True}
    assert {i.derivatives for i in alone if i.segment is Segment.INDEX} == {False}


def test_in_the_real_dump_of_2024_exactly_the_stocks_of_the_futures_are_marked() -> None:
    found = Instruments.from_dump(real(REAL_FNO, date(2024, 4, 2)))
    stocks = {i.symbol for i in found if i.exchange is Exchange.NSE and i.derivatives}
    assert stocks == {i.underlying for i in found if i.segment is Segment.FUTURES} - {
        "NIFTY",
        "BANKNIFTY",
        "FINNIFTY",
        "MIDCPNIFTY",
    }
    assert len(stocks) == 182
    assert {i.lot_size for i in found if i.underlying == "NIFTY"} == {50}
    assert all(i.expiry and i.underlying for i in found if i.exchange is Exchange.NFO)


# -- the cache ----------------------------------------------------------------------------------------------


def test_what_is_kept_is_what_was_read(tmp_path: Path) -> None:
    table = dump(lines())
    path = table.save(tmp_path / "made" / "on the way")
    again = DumpTable.load(path.parent, DAY)
    assert again is not None
    assert again.as_of == DAY
    assert again.table.equals(table.table)
    assert list(Instruments.from_dump(again)) == list(Instruments.from_dump(table))
    assert [p.name for p in path.parent.iterdir()] == ["instruments-2026-11-23.arrow"], "nothing left over"


def test_another_day_has_no_file(tmp_path: Path) -> None:
    dump(lines()).save(tmp_path)
    assert DumpTable.load(tmp_path, DAY + timedelta(days=1)) is None
    assert DumpTable.load(tmp_path / "nowhere", DAY) is None


def test_the_newest_ten_days_are_kept(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "instruments-of-mine-x.arrow").touch()
    for n in range(12):
        dump(lines()[:5], DAY + timedelta(days=n)).save(tmp_path)
    assert cached_days(tmp_path) == [DAY + timedelta(days=n) for n in range(2, 12)]
    assert len(list(tmp_path.iterdir())) == 12, "what is not ours stays"


def renamed(content: bytes) -> bytes:
    return content.replace(b"2026-11-23", b"2026-11-24")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content + b"\0",
        lambda content: b"not an arrow file at all, but long enough to hold a digest",
        renamed,
    ],
)
def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    path = dump(lines()).save(tmp_path)
    spoilt = spoil(path.read_bytes())
    path.write_bytes(spoilt)
    with pytest.raises(FeedError, match=r"instruments-2026-11-23\.arrow is damaged"):
        DumpTable.load(tmp_path, DAY)
    assert path.read_bytes() == spoilt


def test_any_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = dump(lines()).save(tmp_path)
    good = path.read_bytes()
    for at in range(0, len(good), 97):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :])
        with pytest.raises(FeedError, match="damaged"):
            DumpTable.load(tmp_path, DAY)


def test_a_file_under_another_days_name_is_refused(tmp_path: Path) -> None:
    path = dump(lines()).save(tmp_path)
    tomorrow = DAY + timedelta(days=1)
    path.rename(cached(tmp_path, tomorrow))
    with pytest.raises(FeedError, match="is not the dump of 2026-11-24"):
        DumpTable.load(tmp_path, tomorrow)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = dump(lines()).save(tmp_path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        dump(lines()[:3]).save(tmp_path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path], "no half-written file stays"
