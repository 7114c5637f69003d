"""Go with the day's first decision: what leaves the range of the first minutes tends to go on.

Toby Crabel, Day Trading with Short-Term Price Patterns and Opening Range Breakout (1990); tested after costs
by Zarattini and Aziz, "Can Day Trading Really Be Profitable?" (SSRN 4416622, 2023), who as here give it up at
the range's other end and leave at the day's close.
"""

from typing import ClassVar

from trader.strategy import Bars, Param, Signals, Strategy, first_of_day, opening_range


class OpeningRangeBreakout(Strategy):
    """Buys the day's first close above the opening range, shorts the first one below; once a day each."""

    minutes = Param(15, low=1, high=120, help="minutes from the opening that make the range")
    until = Param(780, low=560, high=925, clock=True, help="time of day after which nothing is entered")

    sessions = 1  # the range is the whole day's
    options: ClassVar = {"target": "0"}  # leaves at the other end of the range, or with the day

    def check(self) -> str | None:
        ends = 555 + self.minutes
        if self.until >= ends:
            return None
        shown = self.params()["until"].text
        return f"until is {shown(self.until)}: expected {shown(ends)}, where the range ends, or later"

    @property
    def warmup(self) -> int:
        return 2  # beside its session it remembers nothing

    def signals(self, bars: Bars) -> Signals:
        high, low = opening_range(bars, self.minutes)
        above, below = bars.close > high, bars.close < low
        early = bars.minute <= self.until
        return Signals(
            enter_long=first_of_day(bars, above) & early,
            exit_long=below,
            enter_short=first_of_day(bars, below) & early,
            exit_short=above,
        )
