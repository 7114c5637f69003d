"""Go with a new high or low: resistance or support of many bars has given way.

Richard Donchian's channel rule ("four-week rule", 1960s); the shorter channel for leaving is how the Turtles
traded it in 1983, 20 bars in and 10 out (Curtis Faith, The Original Turtle Trading Rules, 2003).
"""

from trader.strategy import Bars, Param, Signals, Strategy, channel_high, channel_low


class Breakout(Strategy):
    """Buys a close above the highest high of the last bars, sells short one below the lowest low."""

    channel = Param(20, low=2, high=250, help="bars whose high and low must be broken to enter")
    exit_channel = Param(
        10, low=0, high=250, help="bars whose opposite line ends the trade; 0: only a reversal does"
    )

    def check(self) -> str | None:
        if self.exit_channel <= self.channel:
            return None
        return f"exit_channel is {self.exit_channel}: expected at most channel, {self.channel}"

    @property
    def warmup(self) -> int:
        return self.channel + 2  # a channel has no memory beyond its bars: those, the bar before, this one

    def signals(self, bars: Bars) -> Signals:
        above = bars.close > channel_high(bars, self.channel)
        below = bars.close < channel_low(bars, self.channel)
        if not self.exit_channel:
            return Signals(enter_long=above, exit_long=below, enter_short=below, exit_short=above)
        return Signals(
            enter_long=above,
            exit_long=bars.close < channel_low(bars, self.exit_channel),
            enter_short=below,
            exit_short=bars.close > channel_high(bars, self.exit_channel),
        )
