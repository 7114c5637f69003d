"""Dumps as Kite writes them, small enough to read, and where the real ones lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import count
from pathlib import Path

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
REAL_NSE = SHARED / "data" / "instruments" / "kite_instruments_NSE_2026-07-30.csv"
REAL_FNO = SHARED / "data" / "instruments" / "kite_instruments_FNO_2024-04-06.csv.gz"
MOCK = SHARED / "kite-mocks" / "instruments_all.csv"
HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange"
)
DAY = date(2026, 11, 23)  # a Monday; Tuesday's expiry is moved to it by the holiday of the 24th
MONTHLY = (date(2026, 11, 23), date(2026, 12, 29), date(2027, 1, 26))
WEEKLY = (date(2026, 12, 1), date(2026, 12, 8))
FAR = (date(2027, 12, 28), date(2029, 12, 25))
LETTERS = "123456789OND"


def line(symbol: str, token: int, **other: object) -> str:
    """One row; ``other`` names the columns that are not a plain NSE stock's."""
    row = {"name": symbol, "expiry": "", "strike": "0", "tick": "0.05", "lot": 1, "kind": "EQ"}
    row |= {"segment": "NSE", "exchange": "NSE", **other}
    return (
        f"{token},{token >> 8},{symbol},{row['name']},0,{row['expiry']},{row['strike']},{row['tick']},"
        f"{row['lot']},{row['kind']},{row['segment']},{row['exchange']}"
    )


def stem(name: str, expiry: date) -> str:
    """What Kite's symbols begin with: NIFTY26DEC, or NIFTY26D08 for a weekly contract."""
    month = f"{expiry:%b}".upper() if expiry not in WEEKLY else f"{LETTERS[expiry.month - 1]}{expiry:%d}"
    return f"{name}{expiry:%y}{month}"


def contracts(
    tokens: Iterable[int],
    name: str,
    expiries: Sequence[date],
    strikes: Sequence[object],
    lot: int,
    exchange: str,
) -> list[str]:
    """Calls and puts of each expiry, and a future where it is one of the three months'."""
    token = iter(tokens)
    out = []
    for expiry in expiries:
        place = {"name": f'"{name}"', "expiry": expiry, "lot": lot, "exchange": exchange}
        if expiry in MONTHLY:
            symbol = f"{stem(name, expiry)}FUT"
            out.append(line(symbol, next(token), kind="FUT", segment=f"{exchange}-FUT", tick="0.1", **place))
        for strike in strikes:
            for side in ("CE", "PE"):
                option = {"kind": side, "segment": f"{exchange}-OPT", "strike": strike}
                out.append(line(f"{stem(name, expiry)}{strike}{side}", next(token), **option, **place))
    return out


def lines() -> list[str]:
    """A day's list with one of everything."""
    tokens = count(100_000)
    nifty = [25_900, 25_950, 26_000, 26_050]
    return [
        line("NIFTY 50", 256265, segment="INDICES", tick="0", lot=0),
        line("NIFTY BANK", 260105, segment="INDICES", tick="0", lot=0),
        line("RELIANCE", 738561, name="RELIANCE INDUSTRIES", tick="0.1"),
        line("RELIANCE", 128083204, name="RELIANCE INDUSTRIES.", segment="BSE", exchange="BSE"),
        line("RELIANCE-BL", 738562, name="RELIANCE INDUSTRIES"),
        line("RELAXO", 738563, name="RELAXO FOOTWEARS"),
        line("INFY", 408065, name="INFOSYS"),
        line("M&M", 519937, name="MAHINDRA & MAHINDRA", tick="0.1"),
        line("BAJAJ-AUTO", 4267265, name="BAJAJ AUTO", tick="0.5"),
        line("TATASTEEL", 895745, name="TATA STEEL", tick="0.01"),
        line("760RJ30-SG", 895746, name="SDL RJ 7.6% 2030", tick="0.01", lot=100),
        *contracts(tokens, "NIFTY", sorted((*MONTHLY, *WEEKLY, *FAR)), nifty, 65, "NFO"),
        *contracts(tokens, "BANKNIFTY", MONTHLY, [57_900, 58_000, 58_100], 30, "NFO"),
        *contracts(tokens, "RELIANCE", MONTHLY, [1_440, 1_460, "1472.5"], 500, "NFO"),
        *contracts(tokens, "M&M", MONTHLY, [3_600, 3_650], 200, "NFO"),
        *contracts(tokens, "BAJAJ-AUTO", MONTHLY, [9_000], 75, "NFO"),
        *contracts(tokens, "SENSEX", [MONTHLY[1]], [85_000], 20, "BFO"),
        *contracts(tokens, "RELIANCE", [MONTHLY[1]], [1_440], 500, "BFO"),
        line("CRUDEOIL26DECFUT", 4242, name="CRUDEOIL", kind="FUT", segment="MCX-FUT", exchange="MCX"),
    ]


def text(rows: Sequence[str]) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()
