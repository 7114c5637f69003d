"""Contracts as people type them."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.market.dump_text import DAY, MONTHLY, REAL_FNO, lines, text
from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.instrument import Instrument, OptionType
from trader.market.dump import DumpTable
from trader.market.instruments import Instruments

IN_2024 = date(2024, 4, 2)  # no contract of the real dump had expired by then


@cache
def listed() -> Instruments:
    return Instruments.from_dump(DumpTable.read(text(lines()), DAY, fewest=1))


@cache
def real() -> Instruments:
    return Instruments.from_dump(DumpTable.read(REAL_FNO, IN_2024))


needs_real = pytest.mark.skipif(not REAL_FNO.exists(), reason="the real F&O dump is not here")


# -- golden -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("NIFTY26DEC26000CE", "NFO:NIFTY26DEC26000CE"),
        ("nfo:nifty26dec26000ce", "NFO:NIFTY26DEC26000CE"),
        ("NIFTY 26DEC 26000 CE", "NFO:NIFTY26DEC26000CE"),  # Kite's YYMMM: there is no expiry on the 26th
        ("nifty 26 dec 26000 ce", "NFO:NIFTY26DEC26000CE"),
        ("NFO:NIFTY 26DEC 26000 CE", "NFO:NIFTY26DEC26000CE"),
        ("NIFTY 26DEC26000CE", "NFO:NIFTY26DEC26000CE"),
        ("NIFTY26DEC 26,000 CE", "NFO:NIFTY26DEC26000CE"),
        ("nifty 26,000 call 26dec", None),  # the strike comes after the expiry
        ("NIFTY 29 DEC 2026 26000 put", "NFO:NIFTY26DEC26000PE"),
        ("NIFTY 29DEC26 26000 PE", "NFO:NIFTY26DEC26000PE"),
        ("NIFTY 2026-12-29 26000 PE", "NFO:NIFTY26DEC26000PE"),
        ("NIFTY DEC 26000 CE", "NFO:NIFTY26DEC26000CE"),  # the month's last expiry, not a weekly one
        ("NIFTY December 2027 26000 CE", "NFO:NIFTY27DEC26000CE"),
        ("NIFTY 27DEC 26000 CE", "NFO:NIFTY27DEC26000CE"),
        ("NIFTY 8 DEC 26000 CE", "NFO:NIFTY26D0826000CE"),
        ("nifty 8dec 26000ce", "NFO:NIFTY26D0826000CE"),
        ("NIFTY 08DEC 26000 CE", "NFO:NIFTY26D0826000CE"),
        ("NIFTY26D0826000CE", "NFO:NIFTY26D0826000CE"),
        ("NIFTY 26D08 26000 CE", "NFO:NIFTY26D0826000CE"),
        ("NIFTY 26000 CE", "NFO:NIFTY26NOV26000CE"),  # the nearest expiry, today's
        ("nifty 50 26000 ce", "NFO:NIFTY26NOV26000CE"),
        ("NIFTY CE 26000", "NFO:NIFTY26NOV26000CE"),
        ("bank nifty 58000 pe", "NFO:BANKNIFTY26NOV58000PE"),
        ("NIFTY BANK FUT", "NFO:BANKNIFTY26NOVFUT"),
        ("BANKNIFTY FUT", "NFO:BANKNIFTY26NOVFUT"),
        ("banknifty dec futures", "NFO:BANKNIFTY26DECFUT"),
        ("BANKNIFTY 27JAN FUT", "NFO:BANKNIFTY27JANFUT"),
        ("BANKNIFTY 26 JAN 27 FUT", "NFO:BANKNIFTY27JANFUT"),
        ("RELIANCE 1472.5 CE", "NFO:RELIANCE26NOV1472.5CE"),
        ("NSE:RELIANCE FUT", "NFO:RELIANCE26NOVFUT"),
        ("BFO:RELIANCE 1440 CE", "BFO:RELIANCE26DEC1440CE"),
        ("M&M 26DEC 3600 CE", "NFO:M&M26DEC3600CE"),
        ("bajaj-auto 9000 pe", "NFO:BAJAJ-AUTO26NOV9000PE"),
        ("SENSEX 85000 CE", "BFO:SENSEX26DEC85000CE"),
        ("M&M", "NSE:M&M"),
        ("bajaj-auto", "NSE:BAJAJ-AUTO"),
        ("NIFTY", "NSE:NIFTY 50"),
        ("NIFTY50", "NSE:NIFTY 50"),
        ("banknifty", "NSE:NIFTY BANK"),
    ],
)
def test_a_typed_name_is_its_contract(typed: str, key: str | None) -> None:
    if key is None:
        with pytest.raises(UnknownName):
            listed().find(typed)
    else:
        assert listed().find(typed).key == key


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("NIFTY 26DEC 26025 CE", "NIFTY has no 26025 CE on 29 Dec 2026; nearest strikes 26000, 26050."),
        ("NIFTY26DEC26025CE", "NIFTY has no 26025 CE on 29 Dec 2026; nearest strikes 26000, 26050."),
        ("NIFTY26D0899000PE", "NIFTY has no 99000 PE on 8 Dec 2026; nearest strikes 26000, 26050."),
        (
            "NIFTY 9 DEC 26000 CE",
            "NIFTY has no options for '9 DEC 26000 CE'; expiries 23 Nov 2026, 1 Dec 2026, 8 Dec 2026, "
            "29 Dec 2026, 26 Jan 2027, 28 Dec 2027 …\\.",
        ),
        (
            "NIFTY 8DEC FUT",
            "NIFTY has no futures for '8DEC FUT'; expiries 23 Nov 2026, 29 Dec 2026, 26 Jan 2027",
        ),
        (
            "NIFTY 29DEC 26000 CE",
            r"can mean 25 Dec 2029 \(NIFTY29DEC26000CE\) or 29 Dec 2026 \(NIFTY26DEC26000CE\)\. Type the",
        ),
        ("NIFTY 26DEC 26000", "Add CE, PE or FUT"),
        ("NIFTY 26000", "Add CE, PE or FUT"),
        ("NIFTY 26DEC CE", "An option needs its strike"),
        ("NIFTY 26DEC 26000 FUT", "A future has no strike"),
        ("NIFTY 31 FEB 2027 26000 CE", "There is no day 2027-02-31"),
        ("BANKNIFTY 8DEC 58000 CE", "BANKNIFTY has no options for '8DEC 58000 CE'; expiries"),
        ("NIFTY26D0926000CE", "NIFTY has no options for '26D0926000CE'; expiries"),
        ("NIFTY26FEBFUT", "NIFTY has no futures for '26FEBFUT'; expiries"),
    ],
)
def test_what_does_not_exist_is_answered_with_what_does(typed: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        listed().find(typed)


@pytest.mark.parametrize(
    "typed",
    [
        "INFY 1500 CE",
        "NIFTY 26DEC 26000 CE PE",
        "NIFTY 26XYZ 26000 CE",
        "NIFTY tomorrow",
        "",
        " ",
        "CE",
        ":",
        "?? CE",
    ],
)
def test_what_is_no_contract_of_a_known_underlying_is_an_unknown_name(typed: str) -> None:
    with pytest.raises(UnknownName):
        listed().find(typed)


def test_when_only_one_reading_has_the_strike_it_is_meant() -> None:
    rows = [row for row in lines() if "NIFTY29DEC26050" not in row]
    found = Instruments.from_dump(DumpTable.read(text(rows), DAY, fewest=1))
    assert found.find("NIFTY 29DEC 26050 CE").key == "NFO:NIFTY26DEC26050CE"


# -- today --------------------------------------------------------------------------------------------------


def test_the_nearest_expiry_moves_on_when_today_does() -> None:
    found = Instruments.from_dump(DumpTable.read(text(lines()), DAY, fewest=1))
    assert found.find("NIFTY FUT").expiry == MONTHLY[0], "on its last day it is not past"
    found.today = DAY + timedelta(days=1)
    assert found.find("NIFTY FUT").expiry == MONTHLY[1]
    assert found.find("NIFTY 26000 CE").expiry == date(2026, 12, 1)
    assert found.expiries("NIFTY")[0] == found.chain("NIFTY").expiry == date(2026, 12, 1)
    assert found.find("NIFTY26NOVFUT").expiry == MONTHLY[0], "by its own symbol it is still found"
    with pytest.raises(InvalidInput, match="no futures for 'NOV FUT'"):
        found.find("NIFTY NOV FUT")
    found.today = date(2031, 1, 1)
    assert found.expiries("NIFTY") == []
    with pytest.raises(InvalidInput, match="NIFTY has no futures"):
        found.find("NIFTY FUT")


def test_instruments_given_one_by_one_are_typed_the_same_way() -> None:
    plain = Instruments(listed())
    assert plain.today is None
    for typed in ("NIFTY 26DEC 26000 CE", "BANKNIFTY FUT", "M&M 3600 PE", "BFO:RELIANCE 1440 CE", "RELIANCE"):
        assert plain.find(typed) == listed().find(typed)
    assert plain.expiries("NIFTY") == listed().expiries("NIFTY")
    assert plain.chain("banknifty") == listed().chain("banknifty")
    assert [i.key for i in plain.search("rel", 50)] == [i.key for i in listed().search("rel", 50)]


# -- every contract of the real list ------------------------------------------------------------------------


def spoken(contract: Instrument) -> str:
    """With the whole date, which can mean one expiry only."""
    assert contract.expiry is not None
    what = "FUT" if contract.option_type is None else f"{contract.strike} {contract.option_type}"
    return f"{contract.underlying} {contract.expiry:%d %b %Y} {what}"


@needs_real
def test_every_contract_of_the_real_list_is_found_by_symbol_by_token_and_in_words() -> None:
    contracts = [i for i in real() if i.expiry is not None]
    assert len(contracts) == 31_010
    for contract in contracts:
        assert real().find(contract.symbol) is contract
        assert real().by_token(contract.token) is contract
        assert real().find(spoken(contract).lower()) is contract


@needs_real
def test_every_monthly_contract_is_found_by_its_symbol_with_spaces_unless_two_are_meant() -> None:
    both = set()
    for contract in real():
        if contract.expiry is None or not contract.symbol[len(contract.underlying) + 2].isalpha():
            continue
        tail = "FUT" if contract.option_type is None else f"{contract.strike} {contract.option_type}"
        typed = f"{contract.underlying} {contract.expiry:%y%b} {tail}".upper()
        assert typed.replace(" ", "") == contract.symbol
        if (contract.underlying, contract.expiry) in AMBIGUOUS and in_both(contract):
            both.add(contract.expiry)
            with pytest.raises(InvalidInput, match=rf"can mean .*{contract.symbol}"):
                real().find(typed)
        else:
            assert real().find(typed) is contract, typed
    assert both == {date(2026, 12, 31), date(2027, 6, 24)}


# 26DEC may be 26 Dec 2024 and 27JUN 27 Jun 2024, which the NIFTY had too
AMBIGUOUS = {("NIFTY", date(2026, 12, 31)): "24DEC", ("NIFTY", date(2027, 6, 24)): "24JUN"}


def in_both(contract: Instrument) -> bool:
    assert contract.expiry is not None
    near = AMBIGUOUS[contract.underlying, contract.expiry]
    return f"NFO:NIFTY{near}{contract.strike}{contract.option_type}" in real()


@needs_real
def test_the_monthly_expiry_is_the_one_named_after_the_month_not_the_last() -> None:
    assert date(2024, 4, 30) in real().expiries("BANKNIFTY"), "May's first week, moved before the 1st"
    for typed in ("BANKNIFTY APR 48000 CE", "BANKNIFTY 24APR 48000 CE"):
        assert real().find(typed).symbol == "BANKNIFTY24APR48000CE"
    assert real().find("BANKNIFTY 30APR 48000 CE").symbol == "BANKNIFTY2443048000CE"


@needs_real
def test_a_chain_holds_every_option_of_its_expiry() -> None:
    of = [i for i in real() if i.underlying == "NIFTY" and i.option_type is not None]
    for expiry in real().expiries("NIFTY"):
        chain = real().chain("NIFTY", expiry)
        held = {i for sides in chain.strikes.values() for i in sides if i is not None}
        assert held == {i for i in of if i.expiry == expiry}
        assert list(chain.strikes) == sorted(chain.strikes)
        for strike, (call, put) in chain.strikes.items():
            assert call is None or (call.strike, call.option_type) == (strike, OptionType.CALL)
            assert put is None or (put.strike, put.option_type) == (strike, OptionType.PUT)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="NIFTYBAKREL&- :,.0123456789DECJUNCEPEFUT\u0661\u00bd", max_size=30))
def test_nothing_that_is_typed_does_worse_than_a_sentence(typed: str) -> None:
    with suppress(InvalidInput):
        assert listed().find(typed).key in listed()
    assert len(listed().search(typed, 5)) <= 5


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_spaces_case_and_commas_do_not_matter(data: st.DataObject) -> None:
    contract = data.draw(st.sampled_from([i for i in listed() if i.option_type is not None]))
    words = spoken(contract).split()
    gaps = [data.draw(st.sampled_from([" ", "  ", "\t"])) for _ in words]
    typed = "".join(word + gap for word, gap in zip(words, gaps, strict=True))
    strike = str(contract.strike)
    if contract.strike == contract.strike.to_integral() if contract.strike else False:
        typed = typed.replace(strike, f"{int(Decimal(strike)):,}")
    typed = data.draw(st.sampled_from([typed.lower(), typed.upper(), typed.title()]))
    prefix = f"{contract.exchange}:"
    assert listed().find(prefix + typed) is contract
