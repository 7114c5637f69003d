"""Searching, chains, expiries, freshness."""

from __future__ import annotations

import cProfile
import tracemalloc
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

import pytest

from tests.market.dump_text import DAY, MONTHLY, REAL_NSE, WEEKLY, line, lines, text
from trader.domain.errors import InstrumentsStale, InvalidInput, UnknownName
from trader.domain.instrument import InstrumentKey
from trader.market.dump import DumpTable
from trader.market.instruments import Instruments


@cache
def listed() -> Instruments:
    return Instruments.from_dump(DumpTable.read(text(lines()), DAY, fewest=1))


@cache
def real() -> Instruments:
    if not REAL_NSE.exists():
        pytest.skip("the real dump of the NSE is not here")
    return Instruments.from_dump(DumpTable.read(REAL_NSE, date(2026, 7, 30)))


# -- search -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "limit", "keys"),
    [
        # stocks before contracts, one with contracts before one without, plain symbols before other series
        ("rel", 5, ["NSE:RELIANCE", "BSE:RELIANCE", "NSE:RELAXO", "NSE:RELIANCE-BL", "NFO:RELIANCE26NOVFUT"]),
        ("RELIANCE", 3, ["NSE:RELIANCE", "BSE:RELIANCE", "NSE:RELIANCE-BL"]),
        ("bse:rel", 9, ["BSE:RELIANCE"]),
        ("infosys", 3, ["NSE:INFY"]),  # by its name
        ("steel", 3, ["NSE:TATASTEEL"]),  # in the middle
        ("mahindra", 1, ["NSE:M&M"]),
        ("& mah", 1, ["NSE:M&M"]),
        ("footwears rel", 3, ["NSE:RELAXO"]),  # every word, in any order
        ("nifty", 2, ["NSE:NIFTY 50", "NSE:NIFTY BANK"]),
        (
            "nifty 8 dec 26000 ce",
            3,
            ["NFO:NIFTY26D0826000CE"],
        ),  # a contract in words, though no symbol says DEC
        ("banknifty fut", 5, ["NFO:BANKNIFTY26NOVFUT", "NFO:BANKNIFTY26DECFUT", "NFO:BANKNIFTY27JANFUT"]),
        (
            "58000ce",
            5,
            ["NFO:BANKNIFTY26NOV58000CE", "NFO:BANKNIFTY26DEC58000CE", "NFO:BANKNIFTY27JAN58000CE"],
        ),
        ("NFO:RELIANCE FUT", 1, ["NFO:RELIANCE26NOVFUT"]),
        ("nothing like it", 5, []),
        ("", 5, []),
        ("NSE:", 5, []),
        ("rel", 0, []),
    ],
)
def test_search_gives_what_is_meant_first(typed: str, limit: int, keys: list[str]) -> None:
    assert [i.key for i in listed().search(typed, limit)] == keys


def test_contracts_begin_with_futures_and_go_by_expiry_and_past_ones_are_left_out() -> None:
    found = Instruments.from_dump(DumpTable.read(text(lines()), DAY, fewest=1))
    contracts = [i.symbol for i in found.search("NFO:nifty", 7)]
    assert contracts == [
        "NIFTY26NOVFUT",
        "NIFTY26DECFUT",
        "NIFTY27JANFUT",
        "NIFTY26NOV25900CE",
        "NIFTY26NOV25900PE",
        "NIFTY26NOV25950CE",
        "NIFTY26NOV25950PE",
    ]
    found.today = DAY + timedelta(days=1)
    assert [i.symbol for i in found.search("NFO:nifty", 3)] == [
        "NIFTY26DECFUT",
        "NIFTY27JANFUT",
        "NIFTY26D0125900CE",
    ]
    assert found.search("26NOV", 5) == []


def test_search_sees_what_was_added_since() -> None:
    found = Instruments()
    assert found.search("INFY") == []
    found.add(listed().find("INFY"))
    assert [i.symbol for i in found.search("INFY")] == ["INFY"]


# -- did you mean -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("RELIENCE", "RELIANCE"),
        ("RELIANCES", "RELIANCE"),
        ("RELIACNE", "RELIANCE"),
        ("BSE:RELIANC", "BSE:RELIANCE"),
        ("BAJAJ AUTO", "BAJAJ-AUTO"),
        ("BAJAJAUTO", "BAJAJ-AUTO"),
        ("M@M", "M&M"),
        ("Infosys", "INFY"),
        ("infosis", "INFY"),
        ("Reliance Industries", "RELIANCE"),
        ("TATASTLE", "TATASTEEL"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(UnknownName, match=f"Did you mean {meant}") as caught:
        listed().find(typed)
    assert caught.value.suggestion == meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("relience", "RELIANCE"),
        ("infosys", "INFY"),
        ("hdfc bnk", "HDFCBANK"),
        ("SBIM", "SBIN"),
        ("bajaj auto", "BAJAJ-AUTO"),
        ("nifty bnk", "NIFTY BANK"),
        ("NSE:TATASTEAL", "NSE:TATASTEEL"),
    ],
)
def test_so_it_is_among_ten_thousand_real_symbols(typed: str, meant: str) -> None:
    with pytest.raises(UnknownName) as caught:
        real().find(typed)
    assert caught.value.suggestion == meant


@pytest.mark.parametrize("pasted", ["x" * 4000, "1" * 4000, "NIFTY " + "2" * 4000 + " CE", "x " * 2000])
def test_a_paragraph_is_no_symbol_and_is_compared_with_nothing(pasted: str) -> None:
    listed().search("once, to have what it searches in")
    work = cProfile.Profile()
    tracemalloc.start()
    with work, pytest.raises(UnknownName) as told:
        listed().find(pasted)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(entry.callcount for entry in work.getstats()) < 5000
    assert most < 1_000_000  # bytes
    assert len(str(told.value)) < 300
    assert listed().search(pasted) == []


def test_a_name_like_no_other_is_answered_with_some_that_are_traded_most() -> None:
    with pytest.raises(UnknownName, match=r"Known: .*BAJAJ-AUTO, INFY, M&M, NIFTY 50, ") as caught:
        listed().find("QQQQQ")
    assert caught.value.suggestion is None
    with pytest.raises(UnknownName, match="There is none"):
        Instruments().find("QQQQQ")


# -- expiries and chains ------------------------------------------------------------------------------------


def test_expiries_ascend() -> None:
    assert listed().expiries("NIFTY")[:4] == [MONTHLY[0], *WEEKLY, MONTHLY[1]]
    assert listed().expiries("nifty 50") == listed().expiries("NSE:NIFTY 50") == listed().expiries("NIFTY")
    assert listed().expiries("RELIANCE") == list(MONTHLY)
    assert listed().expiries("BFO:RELIANCE") == [MONTHLY[1]]
    assert listed().expiries("INFY") == []


def test_a_chain_has_calls_and_puts_by_strike() -> None:
    chain = listed().chain("NIFTY")
    assert (chain.underlying, chain.exchange, chain.expiry, len(chain)) == ("NIFTY", "NFO", MONTHLY[0], 4)
    assert list(chain.strikes) == [25_900, 25_950, 26_000, 26_050]
    call, put = chain.strikes[Decimal(26_000)]
    assert call is listed().find("NIFTY26NOV26000CE")
    assert put is listed().find("NIFTY26NOV26000PE")
    assert listed().chain("nifty", WEEKLY[1]).strikes[Decimal(25_900)][0] is listed().find(
        "NIFTY26D0825900CE"
    )


@pytest.mark.parametrize(
    ("price", "strike"),
    [("25974.95", 25_950), ("25975", 25_950), ("25975.05", 26_000), ("1", 25_900), ("99999", 26_050)],
)
def test_the_strike_at_the_money_is_the_nearest_and_the_lower_of_two(price: str, strike: int) -> None:
    assert listed().chain("NIFTY").at_the_money(Decimal(price)) == strike


def test_a_chain_can_be_cut_to_the_strikes_around_a_price() -> None:
    chain = listed().chain("NIFTY")
    assert list(chain.around(Decimal(25_990), 1).strikes) == [25_950, 26_000, 26_050]
    assert list(chain.around(Decimal(25_900), 1).strikes) == [25_900, 25_950]
    assert chain.around(Decimal(25_990), 9).strikes == chain.strikes


def test_a_strike_may_lack_one_side() -> None:
    rows = [row for row in lines() if "NIFTY26NOV26000PE" not in row]
    chain = Instruments.from_dump(DumpTable.read(text(rows), DAY, fewest=1)).chain("NIFTY")
    call, put = chain.strikes[Decimal(26_000)]
    assert call is not None
    assert put is None


def test_a_chain_that_is_not_there_is_answered_with_what_is() -> None:
    with pytest.raises(UnknownName, match=r"No underlying is called 'NIFTTY'\. Did you mean NIFTY"):
        listed().chain("NIFTTY")
    with pytest.raises(UnknownName, match="No underlying is called 'INFY'"):
        listed().chain("INFY")
    with pytest.raises(InvalidInput, match="NIFTY has no options of 9 Dec 2026; expiries 23 Nov 2026, 1 Dec"):
        listed().chain("NIFTY", date(2026, 12, 9))


def test_what_contracts_follow() -> None:
    for underlying, key in (("NIFTY", "NSE:NIFTY 50"), ("m&m", "NSE:M&M"), ("RELIANCE", "NSE:RELIANCE")):
        found = listed().spot(underlying)
        assert found is not None
        assert found.key == key
    assert listed().spot("SENSEX") is None, "the index is not in this list"


# -- freshness ----------------------------------------------------------------------------------------------


def test_only_the_days_own_list_is_fresh() -> None:
    listed().require_fresh(DAY)
    listed().require_fresh(DAY - timedelta(days=3))  # fetched on Monday, asked about Friday
    with pytest.raises(InstrumentsStale, match="are of 23 Nov 2026, expected 25 Nov 2026"):
        listed().require_fresh(DAY + timedelta(days=2))


def test_instruments_from_no_list_are_never_fresh() -> None:
    with pytest.raises(InstrumentsStale, match="come from no dump"):
        Instruments(listed()).require_fresh(DAY)


def test_a_list_with_contracts_that_were_over_is_an_older_one() -> None:
    over = [
        line(
            f"NIFTY26N17{strike}CE",
            strike,
            name="NIFTY",
            expiry="2026-11-17",
            strike=strike,
            kind="CE",
            exchange="NFO",
        )
        for strike in range(25_000, 25_050)
    ]

    def fetched(rows: list[str]) -> Instruments:
        return Instruments.from_dump(DumpTable.read(text(rows), DAY, fewest=1))

    with pytest.raises(InstrumentsStale, match="hold 50 contracts that were over"):
        fetched([*lines(), *over]).require_fresh(DAY)
    fetched([*lines(), *over[1:]]).require_fresh(DAY)  # stragglers prove nothing


def test_get_and_contains_know_keys_only() -> None:
    key = InstrumentKey("NSE:INFY")
    for instruments in (listed(), Instruments(listed())):
        found = instruments.get(key)
        assert found is not None
        assert key in instruments
        assert InstrumentKey("INFY") not in instruments
        assert instruments.get(InstrumentKey("INFY")) is None
        assert instruments.by_token(found.token) == found
        assert instruments.by_token(1) is None
