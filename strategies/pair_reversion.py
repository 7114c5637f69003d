"""Trade two shares that move together against each other: what they have drifted apart closes again.

Gatev, Goetzmann and Rouwenhorst, "Pairs Trading: Performance of a Relative-Value Arbitrage Rule", Review of
Financial Studies 19 (2006): equal rupees of both, opened two deviations apart, closed where they meet. Theirs
lasted months; this one is for a day, for shares are sold short in India within the day only.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from trader.strategy import Bars, Param, Signals, Strategy, crossed_above, crossed_below, zscore


class PairReversion(Strategy):
    """Of two symbols, buys the one that fell behind and shorts the other; leaves both where they meet."""

    lookback = Param(120, low=20, high=500, help="bars over which the usual distance is measured")
    enter = Param(2.0, low=0.5, high=5.0, help="standard deviations apart at which to enter")
    leave = Param(0.0, low=0.0, high=2.0, help="standard deviations apart at which to leave")
    give_up = Param(4.0, low=1.0, high=10.0, help="standard deviations apart at which it has failed")

    together = 2
    # The same risk and stop for both make equal rupees of both. The pair is the exit, not either leg's price:
    # the stop is for the day on which one of them breaks away.
    options: ClassVar = {"stop": "2", "target": "0"}

    def check(self) -> str | None:
        if self.leave < self.enter < self.give_up:
            return None
        return (
            f"enter is {self.enter:g}: expected between leave, {self.leave:g}, and give_up, {self.give_up:g}"
        )

    @property
    def warmup(self) -> int:
        return 2 + self.lookback + self.lookback // 4  # and some, for bars that one of the two does not have

    def joint_signals(self, bars: Sequence[Bars]) -> Sequence[Signals]:
        first, second = bars
        apart = zscore(np.log(first.close / second.close), self.lookback)
        failed = np.abs(apart) >= self.give_up
        cheap, dear = crossed_below(apart, -self.enter), crossed_above(apart, self.enter)
        met_from_below, met_from_above = (apart >= -self.leave) | failed, (apart <= self.leave) | failed
        return (
            Signals(enter_long=cheap, exit_long=met_from_below, enter_short=dear, exit_short=met_from_above),
            Signals(enter_long=dear, exit_long=met_from_above, enter_short=cheap, exit_short=met_from_below),
        )
