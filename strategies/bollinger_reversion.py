"""Fade a price outside its usual width around the average: most of the time it comes back inside.

John Bollinger's bands of the 1980s with his 20 bars and 2 deviations (Bollinger on Bollinger Bands, 2001).
He warns that a tag of a band is no signal by itself; here it takes the close that is back inside.
"""

from trader.strategy import Bars, Param, Signals, Strategy, crossed_above, crossed_below, zscore


class BollingerReversion(Strategy):
    """Buys a close back above the lower band, shorts one back below the upper; leaves at the average."""

    period = Param(20, low=5, high=200, help="bars of the average")
    deviations = Param(2.0, low=0.5, high=4.0, help="standard deviations from the average to the bands")

    @property
    def warmup(self) -> int:
        return self.period + 2  # the bands have no memory beyond their bars

    def signals(self, bars: Bars) -> Signals:
        distance = zscore(bars.close, self.period)  # the bands are at plus and minus the deviations
        return Signals(
            enter_long=crossed_above(distance, -self.deviations),
            exit_long=crossed_above(distance, 0),
            enter_short=crossed_below(distance, self.deviations),
            exit_short=crossed_below(distance, 0),
        )
