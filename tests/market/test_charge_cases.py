"""Every rate on both sides of its change, each line worked out by hand from the circulars' figures.

Turnover is ₹1,00,000 for shares, ₹10,00,000 for futures and ₹10,000 of premium for options unless said.
"""

from __future__ import annotations

from datetime import date

import pytest

from tests.market.executions import D, executed
from trader.domain.instrument import Exchange, Segment
from trader.domain.order import Product, Side
from trader.market.charges import Breakdown, Charges

CHARGES = Charges.load()
_SEGMENTS = {"equity": Segment.EQUITY, "futures": Segment.FUTURES, "options": Segment.OPTIONS}

# day, exchange, segment, product, side, value, underlying | brokerage, STT, exchange, IPFT, SEBI, stamp, GST
CASES = """
# intraday: service tax, SEBI fee, brokerage, stamp duty, GST and the exchange change one after the other
2012-03-30 NSE equity  MIS  BUY   100000 -         | 10    0     3.25  0.00  0.20  2.00  1.36
2012-03-30 NSE equity  MIS  SELL  100000 -         | 10    25    3.25  0.00  0.20  2.00  1.36
2012-04-02 NSE equity  MIS  SELL  100000 -         | 10    25    3.25  0.00  0.20  2.00  1.64
2015-05-29 NSE equity  MIS  SELL  100000 -         | 10    25    3.25  0.00  0.20  2.00  1.64
2015-06-01 NSE equity  MIS  SELL  100000 -         | 10    25    3.25  0.00  0.20  2.00  1.86
2015-11-16 NSE equity  MIS  SELL  100000 -         | 10    25    3.25  0.00  0.20  2.00  1.92
2016-06-01 NSE equity  MIS  SELL  100000 -         | 10    25    3.25  0.00  0.20  2.00  1.99
2017-03-31 NSE equity  MIS  BUY   100000 -         | 10    0     3.25  0.00  0.20  2.00  1.99
2017-06-30 NSE equity  MIS  BUY   100000 -         | 10    0     3.25  0.00  0.15  2.00  1.99
2017-07-03 NSE equity  MIS  BUY   100000 -         | 10    0     3.25  0.00  0.15  2.00  2.39
2019-04-01 NSE equity  MIS  BUY   100000 -         | 10    0     3.25  0.00  0.10  2.00  2.39
2019-12-31 NSE equity  MIS  SELL  100000 -         | 10    25    3.25  0.00  0.10  2.00  2.39
2020-01-01 NSE equity  MIS  SELL  100000 -         | 20    25    3.25  0.00  0.10  2.00  4.19
2020-06-01 NSE equity  MIS  SELL  100000 -         | 20    25    3.25  0.00  0.05  2.00  4.19
2020-06-30 NSE equity  MIS  BUY   100000 -         | 20    0     3.25  0.00  0.05  2.00  4.19
2020-07-01 NSE equity  MIS  BUY   100000 -         | 20    0     3.25  0.00  0.05  3.00  4.19
2020-07-01 NSE equity  MIS  SELL  100000 -         | 20    25    3.25  0.00  0.05  0.00  4.19
2021-01-01 NSE equity  MIS  SELL  100000 -         | 20    25    3.45  0.00  0.05  0.00  4.22
2021-04-01 NSE equity  MIS  SELL  100000 -         | 20    25    3.45  0.00  0.10  0.00  4.22
2022-07-15 NSE equity  MIS  BUY   100000 -         | 20    0     3.45  0.00  0.10  3.00  4.22
2022-07-18 NSE equity  MIS  BUY   100000 -         | 20    0     3.45  0.00  0.10  3.00  4.24
2023-04-03 NSE equity  MIS  BUY   100000 -         | 20    0     3.25  0.10  0.10  3.00  4.20
2024-04-01 NSE equity  MIS  BUY   100000 -         | 20    0     3.22  0.10  0.10  3.00  4.20
2024-09-30 NSE equity  MIS  SELL  100000 -         | 20    25    3.22  0.10  0.10  0.00  4.20
2024-10-01 NSE equity  MIS  SELL  100000 -         | 20    25    2.97  0.10  0.10  0.00  4.15
2026-03-02 NSE equity  MIS  SELL  100000 -         | 20    25    3.07  0.00  0.10  0.00  4.17
2026-11-23 NSE equity  MIS  BUY    20000 -         | 6     0     0.61  0.00  0.02  0.60  1.19
# delivery: STT of July 2012, free of brokerage from December 2015
2012-06-29 NSE equity  CNC  BUY   100000 -         | 20    125   3.25  0.00  0.20  10.00 2.87
2012-07-02 NSE equity  CNC  SELL  100000 -         | 20    100   3.25  0.00  0.20  10.00 2.87
2015-11-30 NSE equity  CNC  BUY   100000 -         | 20    100   3.25  0.00  0.20  10.00 3.37
2015-12-01 NSE equity  CNC  BUY   100000 -         | 0     100   3.25  0.00  0.20  10.00 0.47
2020-07-01 NSE equity  CNC  BUY   100000 -         | 0     100   3.25  0.00  0.05  15.00 0.59
2020-07-01 NSE equity  CNC  SELL  100000 -         | 0     100   3.25  0.00  0.05  0.00  0.59
2023-07-13 NSE equity  CNC  BUY   100000 -         | 0     100   3.25  0.10  0.10  15.00 0.60
2024-10-01 NSE equity  CNC  SELL  100000 -         | 0     100   2.97  0.10  0.10  0.00  0.55
2026-11-23 NSE equity  CNC  BUY   100000 -         | 0     100   3.07  0.00  0.10  15.00 0.57
2026-11-23 NSE equity  MTF  BUY   100000 -         | 20    100   3.07  0.00  0.10  15.00 4.17
2026-11-23 NSE equity  MTF  SELL    5000 -         | 15    5     0.15  0.00  0.01  0.00  2.73
# the BSE's shares
2015-01-05 BSE equity  MIS  BUY   100000 -         | 10    0     2.75  0.00  0.20  2.00  1.58
2018-01-02 BSE equity  MIS  SELL  100000 -         | 10    25    3.00  0.00  0.15  2.00  2.34
2023-03-24 BSE equity  MIS  BUY   100000 -         | 20    0     3.75  0.00  0.10  3.00  4.29
2026-11-23 BSE equity  CNC  SELL  100000 -         | 0     100   3.75  0.00  0.10  0.00  0.69
# futures
2013-05-31 NFO futures NRML SELL 1000000 NIFTY     | 20    170   19.00 0.00  2.00  20.00 4.82
2013-06-03 NFO futures NRML SELL 1000000 NIFTY     | 20    100   19.00 0.00  2.00  20.00 4.82
2023-03-31 NFO futures NRML SELL 1000000 NIFTY     | 20    100   20.00 0.00  1.00  0.00  7.38
2023-04-03 NFO futures NRML SELL 1000000 NIFTY     | 20    125   19.00 1.00  1.00  0.00  7.20
2024-04-01 NFO futures MIS  SELL 1000000 NIFTY     | 20    125   18.80 1.00  1.00  0.00  7.16
2024-09-30 NFO futures MIS  SELL 1000000 NIFTY     | 20    125   18.80 1.00  1.00  0.00  7.16
2024-10-01 NFO futures MIS  SELL 1000000 NIFTY     | 20    200   17.30 1.00  1.00  0.00  6.89
2026-03-31 NFO futures NRML SELL 1000000 NIFTY     | 20    200   18.30 0.00  1.00  0.00  7.07
2026-04-01 NFO futures NRML SELL 1000000 NIFTY     | 20    500   18.30 0.00  1.00  0.00  7.07
2026-04-01 NFO futures NRML BUY  1000000 NIFTY     | 20    0     18.30 0.00  1.00  20.00 7.07
2026-11-23 NFO futures MIS  BUY    50000 RELIANCE  | 15    0     0.91  0.00  0.05  1.00  2.87
2026-04-01 BFO futures NRML SELL 1000000 SENSEX    | 20    500   0.00  0.00  1.00  0.00  3.78
# options
2016-05-31 NFO options NRML SELL   10000 NIFTY     | 20    1.70  5.00  0.00  0.02  0.20  3.63
2016-06-01 NFO options NRML SELL   10000 NIFTY     | 20    5.00  5.00  0.00  0.02  0.20  3.75
2020-12-31 NFO options NRML SELL   10000 NIFTY     | 20    5.00  5.00  0.00  0.01  0.00  4.50
2021-01-01 NFO options NRML SELL   10000 NIFTY     | 20    5.00  5.30  0.00  0.01  0.00  4.55
2023-03-31 NFO options MIS  SELL   10000 BANKNIFTY | 20    5.00  5.30  0.00  0.01  0.00  4.56
2023-04-03 NFO options MIS  SELL   10000 BANKNIFTY | 20    6.25  5.00  0.05  0.01  0.00  4.50
2024-04-01 NFO options NRML SELL   10000 NIFTY     | 20    6.25  4.95  0.05  0.01  0.00  4.49
2024-10-01 NFO options NRML SELL   10000 NIFTY     | 20    10.00 3.50  0.05  0.01  0.00  4.23
2026-03-31 NFO options NRML SELL   10000 NIFTY     | 20    10.00 3.55  0.00  0.01  0.00  4.24
2026-04-01 NFO options NRML SELL   10000 NIFTY     | 20    15.00 3.55  0.00  0.01  0.00  4.24
2026-04-01 NFO options NRML BUY    10000 NIFTY     | 20    0     3.55  0.00  0.01  0.30  4.24
# the BSE's options: Sensex and Bankex apart from all others
2023-10-31 BFO options NRML SELL   10000 SENSEX    | 20    6.25  0.50  0.00  0.01  0.00  3.69
2023-11-01 BFO options NRML BUY    10000 SENSEX    | 20    0     3.75  0.00  0.01  0.30  4.28
2024-05-13 BFO options NRML SELL   10000 BANKEX    | 20    6.25  4.95  0.00  0.01  0.00  4.49
2024-10-01 BFO options NRML SELL   10000 SENSEX    | 20    10.00 3.25  0.00  0.01  0.00  4.19
2026-11-23 BFO options MIS  SELL   10000 BANKEX    | 20    15.00 3.25  0.00  0.01  0.00  4.19
2026-11-23 BFO options NRML SELL   10000 RELIANCE  | 20    15.00 0.50  0.00  0.01  0.00  3.69
2026-11-23 BFO options NRML BUY    10000 SENSEX50  | 20    0     0.50  0.00  0.01  0.30  3.69
"""
ROWS = [line for line in CASES.strip().splitlines() if not line.startswith("#")]


def test_there_are_enough_cases_and_none_twice() -> None:
    assert len({row.split("|")[0] for row in ROWS}) == len(ROWS) >= 40


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row.split("|")[0].split()))
def test_an_order_costs_what_its_day_charged(row: str) -> None:
    what, amounts = row.split("|")
    on, exchange, segment, product, side, value, underlying = what.split()
    order = executed(
        Product(product),
        Side(side),
        value,
        on=date.fromisoformat(on),
        exchange=Exchange(exchange),
        segment=_SEGMENTS[segment],
        underlying=underlying,
    )
    expected = Breakdown(*(D(amount) for amount in amounts.split()))
    assert CHARGES.order(order) == expected
