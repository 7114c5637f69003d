from __future__ import annotations

import csv
import json
import os
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import CAPITAL, curve, made_result, made_spec

from trader.backtest.metrics import metrics
from trader.backtest.report.spec_text import spec_from, spec_to
from trader.backtest.report.stored import differences
from trader.backtest.result import Result
from trader.backtest.shelf import PAGE, PICTURE, TRADES_CSV, TRADES_PARQUET, Shelf
from trader.backtest.spec import Leg, Spec
from trader.desk.limits import RiskLimits
from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval
from trader.domain.times import IST

AT = datetime(2026, 11, 20, 9, 41, 7, tzinfo=IST)


def save(shelf: Shelf, result: Result, at: datetime = AT) -> str:
    return shelf.save(result, metrics(result), at)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "backtests")


@pytest.mark.parametrize(
    "result",
    [
        made_result(1, legs=2),
        replace(made_result(2), halted="max_drawdown", halted_on=date(2024, 2, 1)),
        replace(curve([100_000.0] * 3), close=np.full((3, 1), np.nan)),
        curve([]),
    ],
    ids=["trades", "halted", "no closes", "nothing"],
)
def test_what_is_loaded_equals_what_was_saved(shelf: Shelf, result: Result) -> None:
    again = shelf.load(save(shelf, result))
    assert differences(result, again) == ()
    assert (again.denied, tuple(again.warnings)) == (result.denied, tuple(result.warnings))
    assert again.trades.tobytes() == result.trades.tobytes()
    assert again.equity.tobytes() == result.equity.tobytes()


def test_the_newest_is_first_and_carries_its_numbers(shelf: Shelf) -> None:
    old = save(shelf, made_result(1))
    new = save(shelf, made_result(2), AT + timedelta(hours=1))
    same_second = save(shelf, made_result(3), AT + timedelta(hours=1))
    assert (old, new) == ("20261120-094107-ema_crossover", "20261120-104107-ema_crossover")
    assert same_second == "20261120-104107-ema_crossover-2"
    listing = shelf.list()
    assert [entry.id for entry in listing.entries] == [same_second, new, old]
    assert listing.damaged == []
    told = listing.entries[2]
    assert told.made_at == AT
    assert told.numbers == pytest.approx(metrics(made_result(1)).numbers(), nan_ok=True)
    assert told.spec == made_result(1).spec
    assert told.about.startswith("RELIANCE, INFY · 5m")


def test_undefined_and_infinite_numbers_survive(shelf: Shelf) -> None:
    result = curve([101_000.0, 102_500.0], trades=[1000.0, 1500.0])
    numbers = shelf.entry(save(shelf, result)).numbers
    assert numbers["profit_factor"] == float("inf")
    assert np.isnan(numbers["payoff"])
    text = (shelf.path(shelf.list().entries[0].id) / "meta.json").read_text("utf-8")
    assert json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_trades_are_there_for_other_programs(shelf: Shelf) -> None:
    import pandas as pd

    result = made_result(1)
    id = save(shelf, result)
    with shelf.path(id, TRADES_CSV).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    frame = pd.read_parquet(shelf.path(id, TRADES_PARQUET))
    assert len(rows) == len(frame) == len(result.trades)
    assert sum(float(row["net"]) for row in rows) == pytest.approx(result.net)
    assert rows[0]["symbol"] in {"NSE:RELIANCE", "NSE:INFY"}
    assert rows[0]["entry_at"].endswith("+05:30")
    assert frame.net.sum() == pytest.approx(result.net)
    to_the_paisa = [len(row[name].partition(".")[2]) for row in rows for name in ("pnl", "charges", "net")]
    assert max(to_the_paisa) == 2


def test_page_and_picture_are_kept_where_given(shelf: Shelf) -> None:
    result = made_result(1)
    id = shelf.save(result, metrics(result), AT, page="<p>₹</p>", picture=b"png")
    assert shelf.path(id, PAGE).read_text("utf-8") == "<p>₹</p>"
    assert shelf.path(id, PICTURE).read_bytes() == b"png"
    assert not shelf.path(save(shelf, result), PAGE).exists()


def test_a_shelf_nobody_used_is_empty(shelf: Shelf) -> None:
    assert shelf.list().entries == []
    assert not shelf.folder.exists()


# -- damage ---------------------------------------------------------------------------------------------


def cut_meta(folder: Path) -> None:
    meta = folder / "meta.json"
    meta.write_text(meta.read_text("utf-8")[:200], encoding="utf-8")


def no_numbers(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    del meta["numbers"]
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")


def other_format(folder: Path) -> None:
    (folder / "meta.json").write_text('{"format": 99}', encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "meta.json").unlink(), "has no meta.json"),
        (cut_meta, "meta.json cannot be read"),
        (lambda folder: (folder / "meta.json").write_bytes(b"\xff\x00"), "meta.json cannot be read"),
        (lambda folder: (folder / "meta.json").write_text("[]"), "expected format 1"),
        (no_numbers, "meta.json is damaged"),
        (other_format, "was 99"),
    ],
    ids=["gone", "cut", "not text", "another thing", "a part gone", "of another version"],
)
def test_a_damaged_folder_is_told_and_hides_nothing_else(shelf: Shelf, damage: object, said: str) -> None:
    good, bad = save(shelf, made_result(1)), save(shelf, made_result(2))
    damage(shelf.path(bad))  # type: ignore[operator]  # each is a function of a folder
    listing = shelf.list()
    assert [entry.id for entry in listing.entries] == [good]
    assert len(listing.damaged) == 1
    assert said in listing.damaged[0]
    assert bad in listing.damaged[0]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nonsense", None], ids=["empty", "nonsense", "a bit"])
def test_arrays_that_are_not_what_was_written_are_refused(shelf: Shelf, damage: bytes | None) -> None:
    id = save(shelf, made_result(1))
    file = shelf.path(id, "result.npz")
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(bytes(whole) if damage is None else damage)
    with pytest.raises(InvalidInput, match=r"result\.npz is not the file that was written"):
        shelf.load(id)


def test_missing_arrays_are_said(shelf: Shelf) -> None:
    id = save(shelf, made_result(1))
    shelf.path(id, "result.npz").unlink()
    with pytest.raises(InvalidInput, match="cannot be read"):
        shelf.load(id)


@pytest.mark.parametrize(
    "id", ["", ".", "..", "../secrets", "20261120-094107-ema/../..", "20261120-094107-no"]
)
def test_nothing_outside_the_shelf_is_reached(shelf: Shelf, id: str) -> None:
    save(shelf, made_result(1))
    with pytest.raises(UnknownName):
        shelf.load(id)


def test_a_result_that_cannot_be_written_leaves_nothing(shelf: Shelf) -> None:
    broken = replace(made_result(1), seconds=float("nan"))
    with pytest.raises(ValueError, match="not JSON compliant"):
        save(shelf, broken)
    assert list(shelf.folder.iterdir()) == []


def test_what_a_killed_worker_left_is_cleared_later(shelf: Shelf) -> None:
    save(shelf, made_result(1))
    old, fresh = shelf.folder / ".x1.part", shelf.folder / ".x2.part"
    for part in (old, fresh):
        part.mkdir()
    an_hour_ago = fresh.stat().st_mtime - 3700
    os.utime(old, (an_hour_ago, an_hour_ago))
    assert len(shelf.list().entries) == 1
    assert shelf.list().damaged == []
    save(shelf, made_result(2))
    assert not old.exists()
    assert fresh.exists()


def test_a_removed_result_is_gone(shelf: Shelf) -> None:
    id = save(shelf, made_result(1))
    shelf.remove(id)
    assert shelf.list().entries == []
    assert list(shelf.folder.iterdir()) == []


# -- comparing ------------------------------------------------------------------------------------------


def test_results_are_compared_side_by_side(shelf: Shelf) -> None:
    first = made_result(1)
    leg = first.spec.legs[0]
    slower = Leg(leg.name, leg.strategy, leg.symbols, leg.interval, (("fast", "12"), *leg.settings[1:]))
    second = replace(made_result(2), spec=replace(first.spec, legs=(slower,)))
    found = shelf.compare([save(shelf, first), save(shelf, second)])
    rows = {row[0]: row[1:] for row in found.rows}
    assert rows["fast"] == ("9", "12")
    assert "slow" not in rows
    assert rows["Trades"] == ("120", "120")
    assert rows["Net"][0].startswith(("-₹", "+₹"))
    assert found.notes == []


def test_unlike_results_are_said_to_be_unlike(shelf: Shelf) -> None:
    first = made_result(1)
    richer = replace(first.spec, limits=RiskLimits(capital=Decimal(500_000)), charges=False)
    second = replace(made_result(2), data_hash="other", spec=richer)
    found = shelf.compare([save(shelf, first), save(shelf, second)])
    assert found.notes == ["Not like with like: they differ in candles, capital, charges."]


def test_a_repeated_test_that_differs_is_said() -> None:
    before = made_result(1)
    assert differences(before, made_result(1)) == ()
    again = replace(before, trades=before.trades.copy(), equity=before.equity + 1, data_hash="other")
    again.trades["exit_price"][7] += 0.05
    trade, curve_of, data = differences(before, again)
    assert trade.startswith("Trade 8 was")
    assert "equity" in curve_of
    assert "Data hash" in data
    assert differences(before, replace(before, trades=before.trades[:-1])) == (
        "There were 120 trades, are 119.",
    )


# -- the spec -------------------------------------------------------------------------------------------

AMOUNTS = st.decimals(min_value=1, max_value=10**9, places=4, allow_nan=False)
SPECS = st.builds(
    lambda capital, cooldown, bps, first, names: Spec(
        tuple(
            Leg(name, name, (InstrumentKey(f"NSE:{name}"),), Interval.D1, (("a", f"{name}=₹"), ("b", "")))
            for name in names
        ),
        first,
        None,
        RiskLimits(capital=capital, cooldown=cooldown, max_trades_per_day=7),
        bps,
        False,
    ),
    AMOUNTS,
    st.timedeltas(timedelta(0), timedelta(days=3)),
    st.floats(0, 50),
    st.none() | st.dates(),
    st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4, unique=True),
)


@given(SPECS)
@settings(max_examples=100, deadline=None)
def test_a_spec_comes_back_exactly(spec: Spec) -> None:
    written = json.loads(json.dumps(spec_to(spec), allow_nan=False))
    again = spec_from(written)
    assert again == spec
    for one in fields(RiskLimits):
        was, now = getattr(spec.limits, one.name), getattr(again.limits, one.name)
        assert type(was) is type(now)
        assert str(was) == str(now)  # 1.0 is not 1.00


def test_a_limit_added_since_is_its_default_and_an_unknown_one_is_refused() -> None:
    written = spec_to(made_spec())
    del written["limits"]["collar_pct"]
    assert spec_from(written).limits.collar_pct == RiskLimits().collar_pct
    with pytest.raises(InvalidInput, match="unknown limit max_hope"):
        spec_from({**written, "limits": {**written["limits"], "max_hope": "1"}})
    assert float(spec_from(written).limits.capital) == CAPITAL
