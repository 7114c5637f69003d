"""The day's contract note, and the official samples of Kite explained line by line."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.market.executions import TODAY, D, executed
from trader.domain.errors import InvalidInput
from trader.domain.instrument import Exchange, Segment
from trader.domain.order import Product, Side
from trader.market.charges import Breakdown, Charges, Executed

CHARGES = Charges.load()
BUY, SELL = Side.BUY, Side.SELL
MIS, CNC, NRML = Product.MIS, Product.CNC, Product.NRML
MOCKS = Path(__file__).resolve().parents[2].parent / "shared" / "kite-mocks"


def option(side: Side, premium: str = "6500", **more: Any) -> Executed:
    return executed(
        NRML, side, premium, 65, segment=Segment.OPTIONS, exchange=Exchange.NFO, underlying="NIFTY", **more
    )


# ---- the worked examples of india.md 3.4, as notes ----


def test_an_intraday_round_trip_of_a_lakh_costs_82_68_on_the_note() -> None:
    note = CHARGES.day([executed(MIS, BUY, "100000"), executed(MIS, SELL, "100000", minute=9)])
    assert note.day == TODAY
    assert note.segments == {
        "NSE equity": Breakdown(
            brokerage=D(40), stt=D(25), transaction=D("6.14"), sebi=D("0.20"), stamp=D(3), gst=D("8.34")
        )
    }
    assert note.total == D("82.68")


def test_delivery_of_a_lakh_costs_237_82_over_its_two_days() -> None:
    bought = CHARGES.day([executed(CNC, BUY, "100000")])
    sold = CHARGES.day([executed(CNC, SELL, "100000", on=date(2026, 11, 24))])
    assert bought.total + sold.total == D("237.82")
    assert sold.ledger == Breakdown(dp=D("15.34"))
    assert dict(sold.breakdown.lines())["Depository"] == D("15.34")


def test_an_option_lot_in_and_out_costs_62_86_on_the_note_with_stt_rounded_to_the_rupee() -> None:
    orders = [option(BUY), option(SELL, minute=9)]
    note = CHARGES.day(orders)
    assert note.segments == {
        "NFO options": Breakdown(
            brokerage=D(40), stt=D(10), transaction=D("4.62"), sebi=D("0.01"), stamp=D("0.20"), gst=D("8.03")
        )
    }
    assert note.total == D("62.86")
    booked = CHARGES.added(None, orders[0], []) + CHARGES.added(None, orders[1], orders[:1])
    assert booked == D("62.63")
    # STT +0.25; SEBI 0.013 is one paisa, not two; GST 8.0335 is 8.03, not 4.02 twice
    assert note.rounding(booked) == D("0.25") - D("0.01") - D("0.01") == D("0.23")
    assert abs(note.rounding(booked)) <= note.rounding_bound


# ---- how a note is put together ----


def test_many_small_orders_differ_from_the_note_by_their_paise() -> None:
    orders = [executed(MIS, BUY, "5000", 5, minute=n) for n in range(150)]
    booked = sum((CHARGES.added(None, order, orders[:n]) for n, order in enumerate(orders)), D(0))
    note = CHARGES.day(orders)
    # an order's SEBI fee of 0.005 went up to a paisa, its exchange charge of 0.1535 down, its GST 0.2985 up
    assert note.rounding(booked) == D("0.75") - D("1.50") + D("23.02") - D("22.50") + D("44.78") - D("45.00")
    assert D("0.5") < note.rounding_bound == D("0.5") + D("0.005") * (7 * 150 + 6)
    lot = [executed(MIS, BUY, "5000", 5) for _ in range(600)]
    far = CHARGES.day(lot).rounding(600 * CHARGES.order(lot[0]).total)
    assert D("0.5") < abs(far) <= CHARGES.day(lot).rounding_bound


def test_each_segment_has_its_own_lines_and_its_own_stt_rounding() -> None:
    future = executed(NRML, SELL, "1000700", 65, segment=Segment.FUTURES, exchange=Exchange.NFO, key="NFO:F")
    note = CHARGES.day(
        [
            executed(MIS, SELL, "2000"),  # STT 0.50
            executed(MIS, SELL, "1900", exchange=Exchange.BSE),  # STT 0.475
            future,  # STT 500.35
            option(SELL, "300"),  # STT 0.45
            option(SELL, "400", minute=1),  # STT 0.60: with the former 1.05
        ]
    )
    assert {name: lines.stt for name, lines in note.segments.items()} == {
        "NSE equity": D(1),
        "BSE equity": D(0),
        "NFO futures": D(500),
        "NFO options": D(1),
    }


def test_the_brokers_squareoff_and_the_depository_stand_outside_the_note() -> None:
    note = CHARGES.day(
        [
            executed(MIS, SELL, "100000", key="NSE:A", by_broker=True),
            executed(MIS, SELL, "100000", key="NSE:A", by_broker=True),
            executed(CNC, SELL, "100000", key="NSE:B"),
        ]
    )
    assert note.ledger == Breakdown(rms=D(118), dp=D("15.34"))
    assert all(lines.rms == lines.dp == 0 for lines in note.segments.values())
    assert note.total == sum((s.total for s in note.segments.values()), D(0)) + D("133.34")
    assert [lines.rms for _, lines in note.orders] == [D(59), D(59), D(0)]


def test_orders_are_told_in_the_order_of_the_day() -> None:
    late, early = executed(MIS, BUY, "100", minute=30), executed(MIS, BUY, "100", minute=1)
    assert [o for o, _ in CHARGES.day([late, early]).orders] == [early, late]


def test_a_day_without_orders_costs_nothing_but_must_be_named() -> None:
    note = CHARGES.day([], on=TODAY)
    assert (note.day, note.total, dict(note.segments)) == (TODAY, D(0), {})
    with pytest.raises(InvalidInput, match=r"one day.*none"):
        CHARGES.day([])


def test_orders_of_two_days_make_no_note() -> None:
    two = [executed(MIS, BUY, "100"), executed(MIS, SELL, "100", on=date(2026, 11, 24))]
    with pytest.raises(InvalidInput, match="2026-11-23, 2026-11-24"):
        CHARGES.day(two)
    with pytest.raises(InvalidInput, match="one day"):
        CHARGES.day(two[:1], on=date(2026, 11, 20))


def test_labels_fit_a_phone_and_lines_of_nothing_are_left_out() -> None:
    lines = Breakdown(*(D(n) for n in range(1, 10))).lines()
    assert [amount for _, amount in lines] == [D(n) for n in range(1, 10)]
    assert all(len(label) <= 14 for label, _ in lines)
    assert [label for label, _ in Breakdown(stt=D(1), gst=D(2)).lines()] == ["STT", "GST"]


# ---- the official samples ----


def sample(name: str) -> list[dict[str, Any]]:
    path = MOCKS / name
    if not path.exists():
        pytest.skip(f"{name} of Kite's published samples is not beside this checkout")
    data = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal, parse_int=Decimal)["data"]
    assert isinstance(data, list)
    return data


def near(ours: Decimal, theirs: Decimal) -> bool:
    """The samples carry binary floating point: 0.0033767999999999997."""
    return abs(ours - theirs) < D("0.000000001")


def explained(ours: Breakdown, theirs: dict[str, Any]) -> None:
    """Every line but stamp duty, whose difference each test names."""
    assert near(ours.stt, theirs["transaction_tax"])
    assert near(ours.transaction + ours.ipft, theirs["exchange_turnover_charge"])
    assert near(ours.sebi, theirs["sebi_turnover_charge"])
    assert near(ours.brokerage, theirs["brokerage"])
    assert near(ours.gst, theirs["gst"]["total"])
    assert near(ours.total - ours.stamp, theirs["total"] - theirs["stamp_duty"])


def test_the_official_note_of_july_2023_delivery_line() -> None:
    row = sample("virtual_contract_note.json")[0]
    assert (row["tradingsymbol"], row["product"], row["transaction_type"]) == ("SBIN", "CNC", "BUY")
    order = executed(CNC, BUY, row["price"] * row["quantity"], 1, on=date(2023, 7, 10))
    ours = CHARGES.exact(order)
    explained(ours, row["charges"])
    # in July 2023: STT 0.1 %, exchange 0.00325 % and its protection fund 0.0001 %, SEBI Rs 10 a crore
    assert (ours.stt, ours.transaction, ours.ipft) == (D("0.56"), D("0.0182"), D("0.00056"))
    assert ours.sebi == D("0.00056")


def test_the_official_note_of_july_2023_option_line() -> None:
    row = sample("virtual_contract_note.json")[2]
    assert (row["tradingsymbol"], row["transaction_type"]) == ("NIFTY2371317900PE", "BUY")
    ours = CHARGES.exact(option(BUY, str(row["price"] * row["quantity"]), on=date(2023, 7, 10)))
    explained(ours, row["charges"])
    # exchange 0.05 % and its protection fund 0.0005 % of the premium of 150
    assert (ours.transaction, ours.ipft) == (D("0.075"), D("0.00075"))
    # the GST proves that it is not taken of the protection fund: 20 + 0.075 + 0.00015
    assert ours.gst == D("0.18") * D("20.07515")
    assert not near(D("0.18") * (D("20.07515") + ours.ipft), row["charges"]["gst"]["total"])


def test_stamp_duty_is_the_difference_to_the_official_note() -> None:
    """The sample has no stamp duty on two purchases, though since 1 Jul 2020 the buyer pays it: the one named
    difference."""
    sbin, _, nifty = sample("virtual_contract_note.json")
    assert sbin["charges"]["stamp_duty"] == nifty["charges"]["stamp_duty"] == 0
    bought = executed(CNC, BUY, "560", 1, on=date(2023, 7, 10))
    assert CHARGES.exact(bought).stamp == D("0.084")
    assert CHARGES.order(bought).stamp == D("0.08")
    assert CHARGES.exact(option(BUY, "150", on=date(2023, 7, 10))).stamp == D("0.0045")


def test_the_official_notes_commodity_line_follows_the_same_sum_with_rates_of_its_own() -> None:
    """MCX is outside what Munim trades and its table: the line is recomputed from its own rates."""
    row = sample("virtual_contract_note.json")[1]
    assert row["exchange"] not in set(Exchange)
    theirs, value = row["charges"], row["price"] * row["quantity"]
    brokerage = min(D(20), value * D("0.0003"))
    exchange, sebi = value * D("0.000026"), value / 1_000_000
    assert near(brokerage, theirs["brokerage"])
    assert near(exchange, theirs["exchange_turnover_charge"])
    assert near(sebi, theirs["sebi_turnover_charge"])
    assert near(value * D("0.0001"), theirs["transaction_tax"])
    assert near((brokerage + exchange + sebi) * D("0.18"), theirs["gst"]["total"])


def test_the_older_official_margin_sample() -> None:
    """Cash at 0.00345 % with GST on the SEBI fee: between July 2022 and March 2023."""
    row = sample("order_margins.json")[0]
    theirs = row["charges"]
    ours = CHARGES.exact(executed(CNC, BUY, row["total"], 1, on=date(2023, 1, 2)))
    assert near(ours.stt, theirs["transaction_tax"])
    assert near(ours.transaction, theirs["exchange_turnover_charge"]), "its protection fund is left out"
    assert ours.ipft == D("0.000001498"), "one paisa in a crore"
    assert near(ours.sebi, theirs["sebi_turnover_charge"])
    assert (ours.brokerage, theirs["brokerage"]) == (0, D("0.01")), "a paisa so that GST has an invoice"
    assert near(ours.gst + D("0.18") * D("0.01"), theirs["gst"]["total"])
    assert ours.rounded().stamp == theirs["stamp_duty"] == D("0.22"), "this sample has the stamp duty"


def test_a_note_of_the_samples_own_orders_rounds_line_by_line() -> None:
    sbin = executed(CNC, BUY, "560", 1, on=date(2023, 7, 10))
    put = option(BUY, "150", on=date(2023, 7, 10))
    note = CHARGES.day([sbin, put])
    assert note.segments["NSE equity"] == Breakdown(stt=D(1), transaction=D("0.02"), stamp=D("0.08"))
    assert note.segments["NFO options"] == Breakdown(brokerage=D(20), transaction=D("0.08"), gst=D("3.61"))
    assert note.total == D("1.10") + D("23.69")
