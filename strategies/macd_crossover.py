"""Follow momentum: the distance of two averages, and its average, tell when a trend gathers or loses speed.

Gerald Appel's moving average convergence-divergence of the late 1970s, with his 12, 26 and 9 (Technical
Analysis: Power Tools for Active Investors, 2005).
"""

from trader.strategy import Bars, Param, Signals, Strategy, crossed_above, crossed_below, macd


class MacdCrossover(Strategy):
    """Long from where the MACD crosses above its signal line, short from where it crosses below."""

    fast = Param(12, low=2, high=50, help="bars of the fast average")
    slow = Param(26, low=5, high=200, help="bars of the slow average")
    signal = Param(9, low=2, high=50, help="bars of the MACD's own average")

    def check(self) -> str | None:
        return None if self.fast < self.slow else f"fast is {self.fast}: expected less than slow, {self.slow}"

    @property
    def warmup(self) -> int:
        return 25 * (self.slow + self.signal)  # an average of averages forgets one after the other

    def signals(self, bars: Bars) -> Signals:
        line, average, _ = macd(bars.close, self.fast, self.slow, self.signal)
        up, down = crossed_above(line, average), crossed_below(line, average)
        return Signals(enter_long=up, exit_long=down, enter_short=down, exit_short=up)
