"""Fade the extreme: what has fallen too fast rebounds, what has risen too fast gives back.

The index, and 30 and 70 as its extremes, are J. Welles Wilder's, New Concepts in Technical Trading Systems
(1978). Entering on the way back, not at the extreme, keeps out of a market that goes on falling.
"""

from trader.strategy import Bars, Param, Signals, Strategy, crossed_above, crossed_below, rsi


class RsiMeanReversion(Strategy):
    """Buys as the RSI comes back above oversold, shorts as it falls back below overbought; leaves midway."""

    period = Param(14, low=2, high=100, help="bars the RSI looks back")
    oversold = Param(30.0, low=5, high=45, help="RSI from which a rise is bought")
    overbought = Param(70.0, low=55, high=95, help="RSI from which a fall is sold short")
    middle = Param(50.0, low=40, high=60, help="RSI at which to leave")

    def check(self) -> str | None:
        if self.oversold < self.middle < self.overbought:
            return None
        return f"middle is {self.middle:g}: expected between {self.oversold:g} and {self.overbought:g}"

    def signals(self, bars: Bars) -> Signals:
        strength = rsi(bars.close, self.period)
        return Signals(
            enter_long=crossed_above(strength, self.oversold),
            exit_long=crossed_above(strength, self.middle),
            enter_short=crossed_below(strength, self.overbought),
            exit_short=crossed_below(strength, self.middle),
        )
