"""Finding instruments, and knowing or inventing them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trader.domain.errors import UnknownName
from trader.domain.instrument import Exchange, Instrument, Segment
from trader.market.instruments import Instruments
from trader.market.symbols import instrument_of, listings, tick_size_at

RELIANCE, NIFTY = instrument_of("RELIANCE"), instrument_of("NIFTY 50")
ON_BSE = Instrument(Exchange.BSE, "RELIANCE", 128083204, Decimal("0.05"))
FUTURE = instrument_of("RELIANCE26NOVFUT")
ALL = Instruments([RELIANCE, ON_BSE, NIFTY, FUTURE])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("RELIANCE", RELIANCE),
        (" reliance ", RELIANCE),
        ("nse:reliance", RELIANCE),
        ("BSE:RELIANCE", ON_BSE),
        ("nifty 50", NIFTY),
        ("reliance26novfut", FUTURE),  # its exchange need not be typed
        ("NFO:RELIANCE26NOVFUT", FUTURE),
    ],
)
def test_what_people_type_is_found(text: str, found: Instrument) -> None:
    assert ALL.find(text) is found


@pytest.mark.parametrize(("text", "meant"), [("relience", "RELIANCE"), ("NSE:RELIANC", "NSE:RELIANCE")])
def test_an_unknown_symbol_is_answered_with_the_nearest(text: str, meant: str) -> None:
    with pytest.raises(UnknownName, match=f"Did you mean {meant}?") as caught:
        ALL.find(text)
    assert caught.value.suggestion == meant


def test_adding_replaces_the_same_key_only() -> None:
    some = Instruments([ON_BSE])
    assert some.find("RELIANCE") is ON_BSE
    newer = Instrument(Exchange.BSE, "RELIANCE", 1, Decimal("0.10"))
    some.add(newer)
    some.add(RELIANCE)
    assert some.find("RELIANCE") is RELIANCE, "the NSE is meant when no exchange is named"
    assert some.find("BSE:RELIANCE") is newer
    assert len(some) == 2
    assert list(some) == [newer, RELIANCE]
    assert RELIANCE.key in some


@pytest.mark.parametrize(
    ("symbol", "exchange", "segment"),
    [
        ("NIFTY_50", Exchange.NSE, Segment.INDEX),
        ("TCS-EQ", Exchange.NSE, Segment.EQUITY),
        ("ZENSARTECH", Exchange.NSE, Segment.EQUITY),
        ("3MINDIA", Exchange.NSE, Segment.EQUITY),
        ("NIFTY25O0725000CE", Exchange.NFO, Segment.OPTIONS),  # weekly, October
        ("NIFTY2511623300PE", Exchange.NFO, Segment.OPTIONS),  # weekly, January
        ("BANKNIFTY26NOV60000CE", Exchange.NFO, Segment.OPTIONS),
        ("M&M26NOVFUT", Exchange.NFO, Segment.FUTURES),
    ],
)
def test_a_recorded_symbol_becomes_a_fitting_instrument(
    symbol: str, exchange: Exchange, segment: Segment
) -> None:
    instrument = instrument_of(symbol)
    assert (instrument.exchange, instrument.segment) == (exchange, segment)
    assert instrument == instrument_of(symbol), "the same in every run"


def test_listings_are_distinct_and_carry_the_tick_of_their_price() -> None:
    stocks = listings()
    assert len(stocks) >= 20
    assert (
        len({s.instrument.symbol for s in stocks}) == len({s.instrument.token for s in stocks}) == len(stocks)
    )
    for stock in stocks:
        assert stock.instrument.tick_size == tick_size_at(stock.base_price), stock.instrument.symbol


@pytest.mark.parametrize(
    ("price", "tick"),
    [
        (1, "0.01"),
        (250, "0.01"),
        (250.05, "0.05"),
        (1000, "0.05"),
        (1001, "0.10"),
        (14_800, "1"),
        (25_000, "5"),
    ],
)
def test_the_tick_follows_the_price(price: float, tick: str) -> None:
    assert tick_size_at(price) == Decimal(tick)
