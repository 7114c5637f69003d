"""Go with whoever is in a hurry: volume at rising prices less volume at falling ones, tick by tick.

Trades are signed by the tick rule of Lee and Ready, "Inferring Trade Direction from Intraday Data", Journal
of Finance 46 (1991); that the imbalance goes on for a while is Chordia and Subrahmanyam's, "Order Imbalance
and Individual Stock Returns", Journal of Financial Economics 72 (2004). A broker's stream shows moments, not
every trade, so what traded between two moments is signed as one.
"""

from typing import ClassVar

from trader.strategy import Holding, Param, Signal, Strategy, Tick


class TickImbalance(Strategy):
    """Buys when nearly all recent volume traded on rising ticks, shorts on falling; leaves when it turns."""

    span = Param(60, low=5, high=1000, help="ticks over which older volume fades")
    enter = Param(0.6, low=0.1, high=0.95, help="share of the volume, one way less the other, to enter at")
    leave = Param(0.0, low=-0.5, high=0.5, help="the same, to leave at")

    options: ClassVar = {"stop": "0.5", "target": "1"}

    last = 0.0
    volume = 0
    direction = 0  # of the last tick that moved; those that do not move belong to it
    signed = 0.0
    traded = 0.0
    seen = 0

    def check(self) -> str | None:
        if self.leave < self.enter:
            return None
        return f"leave is {self.leave:g}: expected less than enter, {self.enter:g}"

    def on_tick(self, tick: Tick, holding: Holding) -> Signal | None:
        if not self.last or tick.volume < self.volume:  # the first tick, or another day's
            self.last, self.volume, self.direction = tick.last, tick.volume, 0
            self.signed, self.traded, self.seen = 0.0, 0.0, 0
            return None
        shares = tick.volume - self.volume
        if tick.last != self.last:
            self.direction = 1 if tick.last > self.last else -1
        fade = 1 - 1 / self.span
        self.signed = self.signed * fade + self.direction * shares
        self.traded = self.traded * fade + shares
        self.last, self.volume, self.seen = tick.last, tick.volume, self.seen + 1
        if self.seen < self.span or not self.traded:
            return None
        imbalance = self.signed / self.traded
        return Signal(
            enter_long=holding.quantity == 0 and imbalance >= self.enter,
            exit_long=imbalance <= self.leave,
            enter_short=holding.quantity == 0 and imbalance <= -self.enter,
            exit_short=imbalance >= -self.leave,
        )
