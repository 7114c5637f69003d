"""The instruments a sandbox starts with: real tokens for shares and indices, options around the money."""

from __future__ import annotations

from datetime import date, timedelta

from sandbox.kite.listings import Listing

NIFTY_SPOT = 24_500.0
NIFTY_LOT, NIFTY_FREEZE = 65, 1_800
TUESDAY = 1  # NIFTY expires on Tuesdays since September 2025

SHARES = (
    # token, symbol, name, previous close, tick, ISIN, lot of its future
    (738561, "RELIANCE", "RELIANCE INDUSTRIES", 1480.0, 0.1, "INE002A01018", 500),
    (408065, "INFY", "INFOSYS", 1520.0, 0.1, "INE009A01021", 400),
    (2953217, "TCS", "TATA CONSULTANCY SERV LT", 3050.0, 0.1, "INE467B01029", 175),
    (341249, "HDFCBANK", "HDFC BANK", 990.0, 0.05, "INE040A01034", 550),
    (1270529, "ICICIBANK", "ICICI BANK", 1380.0, 0.1, "INE090A01021", 700),
    (779521, "SBIN", "STATE BANK OF INDIA", 960.0, 0.05, "INE062A01020", 750),
    (424961, "ITC", "ITC", 405.0, 0.05, "INE154A01025", 1600),
    (2714625, "BHARTIARTL", "BHARTI AIRTEL", 2080.0, 0.1, "INE397D01024", 475),
    (1510401, "AXISBANK", "AXIS BANK", 1230.0, 0.1, "INE238A01034", 625),
)
FREEZE_LOTS = 40  # of a share's future
UNDATED = (
    # a share without futures, so without a closing auction; and one of the other exchange
    Listing(3812865, "NSE", "CENTRALBK", "CENTRAL BANK OF INDIA", 38.5, 0.01, isin="INE483A01010"),
    Listing(128083204, "BSE", "RELIANCE", "RELIANCE INDUSTRIES", 1480.0, 0.1, isin="INE002A01018"),
    Listing(256265, "NSE", "NIFTY 50", "NIFTY 50", NIFTY_SPOT, 0.05, segment="INDICES"),
    Listing(260105, "NSE", "NIFTY BANK", "NIFTY BANK", 55_200.0, 0.05, segment="INDICES"),
    Listing(264969, "NSE", "INDIA VIX", "INDIA VIX", 13.2, 0.0025, segment="INDICES"),
    Listing(265, "BSE", "SENSEX", "SENSEX", 80_100.0, 0.01, segment="INDICES"),
)


def default_listings(today: date) -> list[Listing]:
    """Shares, indices, the month's futures and seven strikes of the next expiry. A share with a future closes
    in the auction, and nothing but the future tells that of it."""
    shares = [
        Listing(token, "NSE", symbol, name, close, tick, isin=isin, closes_in_auction=True)
        for token, symbol, name, close, tick, isin, _ in SHARES
    ]
    futures = [
        _future(today, symbol, close * 1.003, lot, FREEZE_LOTS * lot, 53_000 + number)
        for number, (_, symbol, _, close, _, _, lot) in enumerate(SHARES)
    ]
    return [*shares, *UNDATED, nifty_future(today), *futures, *nifty_options(today)]


def nifty_future(today: date) -> Listing:
    number = 52_000 + _month_of(today).month
    return _future(today, "NIFTY", NIFTY_SPOT + 60, NIFTY_LOT, NIFTY_FREEZE, number)


def _future(today: date, name: str, close: float, lot: int, freeze: int, number: int) -> Listing:
    expiry = _month_of(today)
    symbol = f"{name}{expiry:%y%b}FUT".upper()
    return Listing(
        _token(number), "NFO", symbol, name, round(close, 1), 0.1, lot, "FUT",
        "NFO-FUT", expiry, freeze_quantity=freeze,
    )  # fmt: skip


def _month_of(today: date) -> date:
    """The expiry of the nearest monthly contract."""
    expiry = _last_tuesday(today)
    if expiry < today:
        expiry = _last_tuesday(date(today.year + today.month // 12, today.month % 12 + 1, 1))
    return expiry


def nifty_options(today: date, strikes: int = 3) -> list[Listing]:
    expiry = today + timedelta((TUESDAY - today.weekday()) % 7)
    offsets = range(-strikes, strikes + 1)
    return [
        _option(
            expiry, int(NIFTY_SPOT) + 50 * offset, right, 40_000 + 2 * (offset + strikes) + (right == "PE")
        )
        for offset in offsets
        for right in ("CE", "PE")
    ]


def _option(expiry: date, strike: int, right: str, number: int) -> Listing:
    in_the_money = max(0.0, (NIFTY_SPOT - strike) * (1 if right == "CE" else -1))
    month = "123456789OND"[expiry.month - 1]
    dated = f"{expiry:%y%b}".upper() if expiry == _last_tuesday(expiry) else f"{expiry:%y}{month}{expiry:%d}"
    return Listing(
        _token(number), "NFO", f"NIFTY{dated}{strike}{right}", "NIFTY", in_the_money + 110.0, 0.05, NIFTY_LOT,
        right, "NFO-OPT", expiry, strike, NIFTY_FREEZE,
    )  # fmt: skip


def _token(exchange_token: int) -> int:
    return exchange_token << 8 | 2  # 2: NFO


def _last_tuesday(day: date) -> date:
    first_of_next = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    last = first_of_next - timedelta(days=1)
    return last - timedelta((last.weekday() - TUESDAY) % 7)
