"""Prices that go where a test sends them, and the shares they are of."""

from __future__ import annotations

from datetime import date, datetime

from sandbox.kite import KiteServer
from sandbox.kite.catalogue import default_listings
from sandbox.kite.listings import Listings
from sandbox.kite.steering import Steering
from sandbox.kite.times import IST
from trader.market.dump import DumpTable
from trader.market.instruments import Instruments
from trader.market.phases import Venue, venue_of

MONDAY = date(2026, 11, 23)
TRADED = "NSE:SBIN"


def test_a_price_walks_to_where_it_is_sent_and_stays_there() -> None:
    at = datetime(2026, 11, 23, 10, 0, tzinfo=IST)
    kite = KiteServer(lambda: at)
    prices = Steering(kite.market, [TRADED])
    prices.step()
    assert prices.at(TRADED) == 960.0
    prices.send(TRADED, 958.0, 4)
    seen = []
    for _ in range(6):
        prices.step()
        seen.append(prices.at(TRADED))
    assert seen == [959.5, 959.0, 958.5, 958.0, 958.0, 958.0]
    assert prices.arrived(TRADED)
    assert kite.market.quote(kite.market.listings["NSE:INFY"]).traded_at is None


def test_nothing_trades_while_the_market_is_closed() -> None:
    at = datetime(2026, 11, 23, 8, 0, tzinfo=IST)
    kite = KiteServer(lambda: at)
    prices = Steering(kite.market, [TRADED])
    prices.send(TRADED, 958.0)
    prices.step()
    assert prices.at(TRADED) == 960.0


def test_the_dump_tells_which_shares_close_in_the_auction() -> None:
    """A desk squares off by what the dump lists, the local broker by its listings: they are to agree."""
    listings = Listings(default_listings(MONDAY))
    known = Instruments.from_dump(DumpTable.read(listings.dump(), MONDAY, fewest=1))
    for listing in listings:
        if not listing.is_index and not listing.is_derivative and listing.exchange == "NSE":
            in_auction = venue_of(known.by_key[listing.key]) is Venue.AUCTION_STOCK  # type: ignore[index] # its text
            assert in_auction is listing.closes_in_auction, listing.key
