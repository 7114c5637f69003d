"""Follow the trend behind a band that only ever tightens, as wide as the market is restless.

Olivier Seban's Supertrend, published on his French trading site in the 2000s; it spread through charting
programs, and in India more than anywhere. The width is Wilder's average true range (1978).
"""

from typing import ClassVar

from trader.strategy import Bars, Param, Signals, Strategy, supertrend


class Supertrend(Strategy):
    """Long while the close holds above the trailing band, short while below; turns when it breaks."""

    period = Param(10, low=2, high=100, help="bars of the average true range")
    width = Param(3.0, low=0.5, high=10.0, help="average true ranges from the middle of a bar to the band")

    options: ClassVar = {"target": "0", "stop": "1.5"}  # the band is the exit

    @property
    def warmup(self) -> int:
        # Beside the range's, the memory of a band reaches to the last turn, and wide bands turn seldom.
        return max(400, 25 * self.period + round(60 * self.width**2))

    def signals(self, bars: Bars) -> Signals:
        _, direction = supertrend(bars, self.period, self.width)
        up, down = direction > 0, direction < 0
        turned_up, turned_down = up.copy(), down.copy()
        turned_up[1:] &= down[:-1]
        turned_down[1:] &= up[:-1]
        turned_up[:1] = turned_down[:1] = False
        return Signals(
            enter_long=turned_up, exit_long=turned_down, enter_short=turned_down, exit_short=turned_up
        )
