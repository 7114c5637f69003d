"""Fade the distance from the day's average price: those who must trade by the close are measured against it.

The VWAP as the benchmark of executions is Berkowitz, Logue and Noser's, "The Total Cost of Transactions on
the NYSE", Journal of Finance 43 (1988). That prices come back to it within the day is a desk rule without a
paper to its name; entering on the way back, not at the extreme, keeps out of a day that only trends.
"""

from trader.strategy import Bars, Param, Signals, Strategy, crossed_above, crossed_below, vwap, vwap_deviation


class VwapReversion(Strategy):
    """Buys on the way back from far below the day's VWAP, shorts from far above it; leaves at the VWAP."""

    deviations = Param(2.0, low=0.5, high=5.0, help="standard deviations from the VWAP that are far")
    settle = Param(30, low=5, high=180, help="minutes of the day to pass before the first entry")
    until = Param(870, low=600, high=925, clock=True, help="time of day after which nothing is entered")

    sessions = 1  # the VWAP is the whole day's

    @property
    def warmup(self) -> int:
        return 2  # beside its session it remembers nothing

    def signals(self, bars: Bars) -> Signals:
        average, far = vwap(bars), self.deviations * vwap_deviation(bars)
        may_enter = (bars.minute >= 555 + self.settle) & (bars.minute <= self.until)
        return Signals(
            enter_long=crossed_above(bars.close, average - far) & may_enter,
            exit_long=bars.close >= average,
            enter_short=crossed_below(bars.close, average + far) & may_enter,
            exit_short=bars.close <= average,
        )
