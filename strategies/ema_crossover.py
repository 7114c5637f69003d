"""Follow the trend: two exponential averages and the bars on which they cross.

The idea is as old as moving averages; tested on a century of prices by Brock, Lakonishok and LeBaron,
"Simple Technical Trading Rules and the Stochastic Properties of Stock Returns", Journal of Finance 47 (1992).
"""

from trader.strategy import Bars, Param, Signals, Strategy, crossed_above, crossed_below, ema


class EmaCrossover(Strategy):
    """Long while the fast EMA is above the slow one, short while below; acts on the crossing bar."""

    fast = Param(9, low=2, high=50, help="bars of the fast average")
    slow = Param(21, low=5, high=200, help="bars of the slow average")

    def check(self) -> str | None:
        return None if self.fast < self.slow else f"fast is {self.fast}: expected less than slow, {self.slow}"

    def signals(self, bars: Bars) -> Signals:
        fast, slow = ema(bars.close, self.fast), ema(bars.close, self.slow)
        up, down = crossed_above(fast, slow), crossed_below(fast, slow)
        return Signals(enter_long=up, exit_long=down, enter_short=down, exit_short=up)
