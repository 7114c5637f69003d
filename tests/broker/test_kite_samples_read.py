"""How a row of Kite's becomes typed: what is tolerated, and what is said of what is not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.broker.zerodha.answers.alerts import Alert, Kind, State
from trader.broker.zerodha.answers.mutual_funds import schemes
from trader.broker.zerodha.answers.orders import Postback, Sliced
from trader.broker.zerodha.answers.quotes import LastPrice
from trader.broker.zerodha.answers.reading import read, read_all, read_by_key
from trader.broker.zerodha.answers.users import LoggedIn
from trader.broker.zerodha.mapping import UnreadableRow
from trader.domain.order import Side
from trader.domain.times import IST

D = Decimal


@dataclass(frozen=True, slots=True)
class Part:
    price: Decimal


@dataclass(frozen=True, slots=True)
class Whole:
    name: str
    units: int
    price: Decimal
    at: datetime
    seen: datetime | None
    side: Side | str
    parts: tuple[Part, ...]
    note: str | None = None


ROW = {
    "name": "A", "units": 2.0, "price": 101.1, "at": "2026-11-23 09:15:00", "seen": None, "side": "BUY",
    "parts": [{"price": 0.1}], "added_by_kite_next_year": 1,
}  # fmt: skip


def test_a_row_is_typed_exactly_and_what_was_added_since_is_left_out() -> None:
    assert read(Whole, ROW) == Whole(
        "A", 2, D("101.1"), datetime(2026, 11, 23, 9, 15, tzinfo=IST), None, Side.BUY, (Part(D("0.1")),)
    )


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_amounts_come_through_as_they_are_written(amount: Decimal) -> None:
    assert read(Part, {"price": float(amount)}).price == amount


@pytest.mark.parametrize("word", ["HOLD", "", "buy"])
def test_a_word_nobody_knows_stays_as_it_is(word: str) -> None:
    assert read(Whole, ROW | {"side": word}).side == word


@pytest.mark.parametrize("never", [None, "", "0001-01-01 00:00:00"])
def test_a_time_that_never_was_is_none(never: str | None) -> None:
    assert read(Whole, ROW | {"seen": never}).seen is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": None}, "Whole.name: expected str, came None"),
        ({"name": 7}, "Whole.name: expected str, came 7"),
        ({"units": 1.5}, "Whole.units: expected a whole number, came 1.5"),
        ({"units": "many"}, "Whole.units: Expected a number"),
        ({"price": True}, "Whole.price: Expected a number"),
        ({"price": None}, "Whole.price: expected a number, came None"),
        ({"price": float("nan")}, "Whole.price: Expected a number"),
        ({"at": "23-11-2026"}, "Whole.at: expected a time, came '23-11-2026'"),
        ({"at": None}, "Whole.at: expected a time, came None"),
        ({"side": 1}, "Whole.side: expected str, came 1"),
        ({"parts": {}}, "Whole.parts: expected list"),
        ({"parts": [{}]}, "Whole.parts: Expected price in Part"),
        ({"parts": [None]}, "Whole.parts: Expected Part, came NoneType"),
    ],
)
def test_what_cannot_be_read_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(UnreadableRow) as caught:
        read(Whole, ROW | change)
    assert str(caught.value).startswith(words)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(UnreadableRow, match="Expected units in Whole"):
        read(Whole, {key: value for key, value in ROW.items() if key != "units"})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_whatever_comes_is_read_or_refused(row: Any) -> None:
    for reading in (read, read_all, read_by_key):
        try:
            reading(LastPrice, row)
        except UnreadableRow:
            continue


# -- what the samples mean -------------------------------------------------------------------------------


def alert(**changes: object) -> Alert:
    row = {
        "uuid": "u", "name": "n", "type": "ato", "user_id": "AB1234", "status": "enabled",
        "disabled_reason": "", "lhs_attribute": "LastTradedPrice", "lhs_exchange": "NSE",
        "lhs_tradingsymbol": "ACME", "operator": "<=", "rhs_type": "constant", "rhs_attribute": "",
        "rhs_exchange": "", "rhs_tradingsymbol": "", "rhs_constant": 71.8, "alert_count": 1,
        "created_at": "2026-11-23 08:24:10", "updated_at": "2026-11-23 09:15:20",
    }  # fmt: skip
    return read(Alert, row | changes)


@pytest.mark.parametrize(
    ("kind", "status", "may"),
    [
        ("ato", "enabled", True),
        ("ato", "disabled", False),
        ("simple", "enabled", False),
        ("novel", "enabled", False),
    ],
)
def test_an_alert_may_order_by_itself_when_it_is_of_that_kind_and_enabled(
    kind: str, status: str, may: bool
) -> None:
    assert alert(type=kind, status=status).may_order is may


def test_an_alert_knows_its_words() -> None:
    assert (alert().type, alert().status, alert().rhs_constant) == (Kind.ATO, State.ENABLED, D("71.8"))
    assert alert(status="paused").status == "paused"


def test_a_postback_that_kite_made_is_told_from_one_that_somebody_else_did() -> None:
    made = sha256(b"220303000308932" + b"2022-03-03 09:24:25" + b"secret").hexdigest()
    row = {
        "order_id": "220303000308932", "exchange": "NSE", "tradingsymbol": "ACME", "instrument_token": 1,
        "transaction_type": "BUY", "order_type": "MARKET", "product": "CNC", "variety": "regular",
        "validity": "DAY", "status": "COMPLETE", "quantity": 1, "disclosed_quantity": 0,
        "filled_quantity": 1, "pending_quantity": 0, "cancelled_quantity": 0, "price": 0, "trigger_price": 0,
        "average_price": 470, "placed_by": "AB1234", "order_timestamp": "2022-03-03 09:24:25",
        "exchange_timestamp": "2022-03-03 09:24:25", "exchange_order_id": "1", "parent_order_id": None,
        "status_message": None, "tag": None, "checksum": made,
    }  # fmt: skip
    assert read(Postback, row).genuine("secret")
    assert not read(Postback, row).genuine("another")
    assert not read(Postback, row | {"order_id": "220303000308933"}).genuine("secret")


def test_each_slice_of_an_order_is_taken_or_refused_by_itself() -> None:
    error = {"code": 400, "error_type": "MarginException", "message": "Insufficient funds.", "data": None}
    sliced = read(Sliced, {"order_id": "1", "children": [{"order_id": "2"}, {"error": error}]})
    assert [part.order_id for part in sliced.children] == ["2", ""]
    assert [part.error and part.error.error_type for part in sliced.children] == [None, "MarginException"]


def test_the_tokens_of_a_login_are_not_in_its_text() -> None:
    row = dict.fromkeys(("user_id", "user_type", "email", "user_name", "user_shortname", "broker"), "x")
    secret = dict.fromkeys(("access_token", "public_token", "enctoken", "refresh_token"), "hush")
    lists: dict[str, Any] = {"exchanges": [], "products": [], "order_types": [], "avatar_url": None}
    more: dict[str, Any] = {"api_key": "k", "silo": "", "login_time": "2026-11-23 08:10:00"}
    login = read(LoggedIn, row | secret | lists | more | {"meta": {"demat_consent": "physical"}})
    assert login.access_token == "hush"  # noqa: S105 - made up
    assert "hush" not in repr(login)


def test_a_list_of_funds_without_its_columns_is_none() -> None:
    with pytest.raises(UnreadableRow, match="last_price_date"):
        list(schemes(b"tradingsymbol,amc\nINF,X\n"))


def test_units_of_a_fund_have_fractions_and_its_price_a_day() -> None:
    header = (
        "tradingsymbol,amc,name,purchase_allowed,redemption_allowed,minimum_purchase_amount,"
        "purchase_amount_multiplier,minimum_additional_purchase_amount,minimum_redemption_quantity,"
        "redemption_quantity_multiplier,dividend_type,scheme_type,plan,settlement_type,last_price,"
        "last_price_date"
    )
    (fund,) = schemes(
        f"{header}\nINF1,A,B,1,0,1000.0,1.0,500.0,0.001,0.001,growth,equity,direct,T3,436.72,2026-11-20".encode()
    )
    assert (fund.purchase_allowed, fund.redemption_allowed) == (True, False)
    assert (fund.minimum_redemption_quantity, fund.last_price) == (D("0.001"), D("436.72"))
    assert fund.last_price_date == date(2026, 11, 20)
