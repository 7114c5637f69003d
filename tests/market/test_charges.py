"""What an order costs and what an execution adds, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date

import pytest

from tests.market.executions import TODAY, D, executed
from trader.domain.errors import InvalidInput
from trader.domain.instrument import Exchange, Segment
from trader.domain.order import Product, Side
from trader.market import tables
from trader.market.charges import Breakdown, Charges, Executed
from trader.market.rates import Kind, Tariff

CHARGES = Charges.load()
LAKH = "100000"
BUY, SELL = Side.BUY, Side.SELL
MIS, CNC, MTF, NRML = Product.MIS, Product.CNC, Product.MTF, Product.NRML


def option(side: Side, premium: str = "6500", on: date = TODAY) -> Executed:
    return executed(
        NRML, side, premium, 65, segment=Segment.OPTIONS, exchange=Exchange.NFO, underlying="NIFTY", on=on
    )


# ---- the worked examples of india.md 3.4, order by order ----


def test_an_intraday_round_trip_of_a_lakh_costs_82_68() -> None:
    buy, sell = CHARGES.order(executed(MIS, BUY, LAKH)), CHARGES.order(executed(MIS, SELL, LAKH))
    both = buy + sell
    assert both == Breakdown(
        brokerage=D(40), stt=D(25), transaction=D("6.14"), sebi=D("0.20"), stamp=D(3), gst=D("8.34")
    )
    assert (buy.total, sell.total, both.total) == (D("30.34"), D("52.34"), D("82.68"))


def test_delivery_of_a_lakh_bought_one_day_and_sold_another_costs_237_82() -> None:
    bought = CHARGES.added(None, executed(CNC, BUY, LAKH), [])
    sold = CHARGES.added(None, executed(CNC, SELL, LAKH, on=date(2026, 11, 24)), [])
    # buy: STT 100, exchange 3.07, SEBI 0.10, stamp 15, GST 0.57; sell: no stamp, but the depository's 15.34
    assert bought == D("118.74")
    assert sold == D("103.74") + D("15.34")
    assert bought + sold == D("237.82")


def test_an_option_lot_costs_62_63_by_orders_a_paisa_off_its_exact_lines_before_the_note_rounds_stt() -> None:
    buy, sell = CHARGES.order(option(BUY)), CHARGES.order(option(SELL))
    assert (buy.total, sell.total) == (D("26.54"), D("36.09"))
    assert buy.total + sell.total == D("62.63")
    exact = CHARGES.exact(option(BUY)) + CHARGES.exact(option(SELL))
    # 62.61 is the sum of exact lines: two SEBI fees of 0.0065 and two GSTs of 4.0168 were each rounded up
    assert exact.total.quantize(D("0.01")) == D("62.61")
    assert exact.stt == D("9.75"), "the note makes 10 of it: see test_contract_note"


# ---- rules ----


def test_small_orders_pay_brokerage_by_the_rate_large_ones_the_cap_and_options_always_the_cap() -> None:
    assert CHARGES.order(executed(MIS, BUY, "10000")).brokerage == D(3)
    assert CHARGES.order(executed(MIS, BUY, "66666.66")).brokerage == D("20.00")
    assert CHARGES.order(executed(MIS, BUY, "10000000")).brokerage == D(20)
    assert CHARGES.order(option(BUY, "3.25")).brokerage == D(20)


def test_partial_fills_of_an_order_share_one_brokerage_and_two_orders_do_not() -> None:
    part = executed(MIS, BUY, LAKH, 100)
    whole = replace(part, value=D(200_000), quantity=200)
    first, second = CHARGES.added(None, part, []), CHARGES.added(part, whole, [])
    assert first == D("30.34")
    assert second == D("6.74"), "exchange 3.07, SEBI 0.10, stamp 3, GST 0.57"
    assert CHARGES.added(None, executed(MIS, BUY, LAKH), [whole]) == first


def test_the_brokers_own_squareoff_costs_fifty_rupees_and_gst_more_an_order() -> None:
    own, theirs = executed(MIS, SELL, LAKH), executed(MIS, SELL, LAKH, by_broker=True)
    assert CHARGES.order(theirs).rms == D(59)
    assert CHARGES.order(theirs).total == CHARGES.order(own).total + 59
    part = replace(theirs, value=D(50_000), quantity=50)
    added = CHARGES.added(None, part, []), CHARGES.added(part, theirs, [])
    assert sum(added) == CHARGES.order(theirs).total, "once, however many fills"
    assert CHARGES.order(executed(MIS, SELL, LAKH, by_broker=True, on=date(2020, 3, 18))).rms == D("23.60")


def test_delivery_partly_sold_back_the_same_day_is_intraday_for_that_part() -> None:
    buy = executed(CNC, BUY, LAKH, 100)
    sell = executed(CNC, SELL, "40000", 40, minute=5)
    assert CHARGES.added(None, buy, []) == D("118.74"), "all delivery, so far"
    # buy: brokerage 12 on 40,000; STT 60 on 60,000; exchange 3.07; SEBI 0.10; stamp 1.20 + 9; GST 2.73
    # sell: brokerage 12; STT 10; exchange 1.23; SEBI 0.04; GST 2.39; nothing leaves the account
    assert CHARGES.added(None, sell, [buy]) == D("88.10") + D("25.66") - D("118.74") == D("-4.98")


def test_the_first_bought_is_what_was_sold_the_same_day() -> None:
    first = executed(CNC, BUY, "60000", 60)
    second = executed(CNC, BUY, "80000", 60, minute=1)
    sold = executed(CNC, SELL, "70000", 60, minute=2)
    note = CHARGES.day([second, sold, first])
    stt = {order.tag: lines.stt for order, lines in note.orders}
    assert stt == {first.tag: D(0), second.tag: D("80.00"), sold.tag: D("17.50")}


def test_a_same_day_round_trip_in_another_share_or_product_nets_nothing() -> None:
    sell = executed(CNC, SELL, LAKH)
    alone = CHARGES.added(None, sell, [])
    assert CHARGES.added(None, sell, [executed(MIS, BUY, LAKH)]) == alone
    assert CHARGES.added(None, sell, [executed(CNC, BUY, LAKH, key="NSE:OTHER")]) == alone


def test_mtf_keeps_its_brokerage_when_sold_the_same_day_but_is_taxed_as_intraday() -> None:
    buy, sell = executed(MTF, BUY, "5000", 10), executed(MTF, SELL, "5000", 10, minute=9)
    (_, bought), (_, sold) = CHARGES.day([buy, sell]).orders
    assert (bought.brokerage, sold.brokerage) == (D(15), D(15)), "0.3 %"
    assert (bought.stt, sold.stt) == (D(0), D("1.25"))
    assert CHARGES.order(buy).stt == D(5)


def test_the_depository_charges_a_scrip_once_a_day_when_more_is_sold_than_bought() -> None:
    first, second = executed(CNC, SELL, "1000", 10), executed(CNC, SELL, "1000", 10, minute=1)
    as_orders = CHARGES.order(first).total
    assert CHARGES.added(None, first, []) == as_orders + D("15.34")
    assert CHARGES.added(None, second, [first]) == as_orders
    buy = executed(CNC, BUY, "2000", 20, minute=2)
    assert CHARGES.day([first, second, buy]).ledger.dp == 0, "all bought back: nothing is delivered"
    other = executed(CNC, SELL, "1000", 10, key="NSE:OTHER")
    assert CHARGES.day([first, second, other]).ledger.dp == D("30.68")
    assert CHARGES.day([executed(CNC, SELL, "1000", on=date(2024, 9, 30))]).ledger.dp == D("15.93")
    assert CHARGES.day([executed(MIS, SELL, "1000")]).ledger.dp == 0


def test_an_order_that_others_name_too_is_not_counted_twice() -> None:
    sell = executed(CNC, SELL, LAKH)
    assert CHARGES.added(None, sell, [sell]) == CHARGES.added(None, sell, [])


@pytest.mark.parametrize(
    ("on", "tax"),
    [
        (date(2019, 8, 29), "1012.50"),  # 0.125 % of 75 x 10,800, "the STT trap"
        (date(2019, 9, 5), "4.69"),  # 0.125 % of 75 x 50
        (date(2026, 3, 31), "4.69"),
        (date(2026, 4, 7), "5.63"),  # 0.15 %
    ],
)
def test_who_lets_an_option_be_exercised_is_taxed_on_what_it_was_worth(on: date, tax: str) -> None:
    assert CHARGES.exercised(on, intrinsic=D(75 * 50), settlement=D(75 * 10_800)) == D(tax)


def test_an_execution_of_nothing_costs_nothing() -> None:
    assert CHARGES.order(option(BUY, "0")) == Breakdown()
    assert CHARGES.order(executed(MIS, SELL, "0", 0, by_broker=True)).total == 0


def test_an_index_and_a_negative_value_have_no_charges() -> None:
    with pytest.raises(InvalidInput, match="never traded"):
        CHARGES.order(executed(MIS, BUY, LAKH, segment=Segment.INDEX))
    with pytest.raises(InvalidInput, match="at least"):
        executed(MIS, BUY, "-1")


def test_the_exchanges_day_decides_not_utc() -> None:
    night = executed(NRML, SELL, LAKH, segment=Segment.FUTURES, exchange=Exchange.NFO, on=date(2026, 4, 1))
    assert CHARGES.order(night).stt == D(50)
    assert CHARGES.order(replace(night, at=night.at.replace(hour=0).astimezone(UTC))).stt == D(50), (
        "31 March in London"
    )


# ---- the table itself ----

ROWS = [(name, row) for name, rows in tables.read("charges").items() for row in rows]


def test_every_row_has_its_day_its_source_and_how_certain_it_is() -> None:
    for name, row in ROWS:
        assert isinstance(row["from"], date), name
        assert len(row["source"]) >= 3, (name, row)
        assert row["certainty"] in {"verified", "secondary", "unverified"}, (name, row)
        assert set(row.get("kinds", [])) <= {k.value for k in Kind}, (name, row)


def test_no_two_rows_speak_of_the_same_trade_on_the_same_day() -> None:
    seen = [
        (name, row["from"], row.get("exchange"), kind, tuple(row.get("underlyings", [])))
        for name, row in ROWS
        for kind in row.get("kinds", ["any"])
    ]
    assert len(seen) == len(set(seen))


def test_every_trade_has_rates_on_every_day_our_data_has_and_before() -> None:
    tariff = Tariff.load()
    for on in (date(2000, 1, 3), date(2012, 1, 2), TODAY, date(2040, 1, 2)):
        for kind in (Kind.INTRADAY, Kind.DELIVERY, Kind.MTF):
            for exchange in (Exchange.NSE, Exchange.BSE):
                assert tariff.rates(exchange, kind, "", on).gst > 0
        for kind in (Kind.FUTURES, Kind.OPTIONS):
            for exchange in (Exchange.NFO, Exchange.BFO):
                assert tariff.rates(exchange, kind, "SENSEX", on).stt_sell > 0


def test_days_before_the_first_row_use_it() -> None:
    tariff = Tariff.load()
    first, earlier = (
        tariff.rates(Exchange.NSE, Kind.DELIVERY, "", d) for d in (date(2008, 1, 2), date(1999, 1, 4))
    )
    assert first == earlier


def test_a_table_without_a_fitting_row_says_which_is_missing() -> None:
    table = {**tables.read("charges"), "stt": []}
    with pytest.raises(InvalidInput, match=r"\[\[stt\]\].*futures"):
        Tariff(table).rates(Exchange.NFO, Kind.FUTURES, "NIFTY", TODAY)


def test_the_next_change_is_one_row() -> None:
    table = {name: list(rows) for name, rows in tables.read("charges").items()}
    table["sebi"].append({"from": date(2027, 4, 1), "per_crore": "7"})
    charges = Charges(Tariff(table))
    crore = "10000000"
    assert charges.order(executed(MIS, BUY, crore, on=date(2027, 3, 31))).sebi == D(10)
    assert charges.order(executed(MIS, BUY, crore, on=date(2027, 4, 1))).sebi == D(7)


def test_a_change_for_all_other_options_leaves_those_with_rows_of_their_own() -> None:
    table = {name: list(rows) for name, rows in tables.read("charges").items()}
    change = {"from": date(2027, 1, 1), "exchange": "BSE", "kinds": ["options"], "per_crore": "700"}
    table["transaction"].append({**change, "ipft_per_crore": "0"})
    tariff = Tariff(table)
    charged = [
        tariff.rates(Exchange.BFO, Kind.OPTIONS, underlying, date(2027, 1, 4)).transaction
        for underlying in ("RELIANCE", "SENSEX")
    ]
    assert charged == [D("0.00007"), D("0.000325")]
