"""A day as CSV."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import ledger_samples as sample

from storage.exports import fills_csv, trades_csv


def test_fills_are_exported_with_their_value_in_plain_digits() -> None:
    (line,) = csv.DictReader(io.StringIO(fills_csv([sample.fill(price="1E+2", charges="0.30")])))
    assert (line["price"], line["charges"], line["value"]) == ("100", "0.30", "1000")
    assert (line["at"], line["side"], line["reference_price"]) == ("2026-11-23 09:15:00", "BUY", "")


def test_trades_are_exported_with_their_net() -> None:
    (line,) = csv.DictReader(io.StringIO(trades_csv([sample.trade()])))
    assert Decimal(line["net"]) == sample.trade().net
    assert line["reason"] == "target"


def test_a_day_without_trades_is_a_header() -> None:
    assert trades_csv([]).startswith("trade_id,owner,key,")
    assert trades_csv([]).count("\n") == 1
