"""Which quote is the closing auction's price."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

from trader.broker.paper.matching import sane
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Tick
from trader.domain.times import ist
from trader.market.phases import Phase

RANDOM_END = timedelta(minutes=2)  # the auction's order entry may end that much early (NSE/CMTR/73362)


class Auctions:
    """The print is the first quote after order entry may have ended. Where the feed counts volume something
    must have traded, or it repeats an old price.

    After a restart there is no earlier quote to compare with. A feed shows the last price as soon as it is
    asked, so what comes first once prints may come is the print if the exchange was open before. If it was
    not, the quote is kept: when nothing more has traded by the auction's end, it was the print.
    """

    def __init__(self, phase: Callable[[InstrumentKey, datetime], Phase]) -> None:
        self._phase = phase
        self._held: dict[InstrumentKey, date] = {}
        self._doubted: dict[InstrumentKey, Tick] = {}
        self.opened_at: datetime | None = None  # when this process began to look

    def is_print(self, tick: Tick, traded: int | None, first: bool) -> bool:
        """``traded``: units since the quote before, None where the feed carries no volume; ``first``: there
        was none before."""
        if not sane(tick.last) or not self._may_print(tick.key, tick.at) or self._was_held(tick):
            return False
        if first and tick.volume > 0:
            opened = self.opened_at
            if opened is None or opened >= tick.at or self._may_print(tick.key, opened):
                self._doubted[tick.key] = tick
                return False
        elif traded == 0:
            return False
        self._hold(tick)
        return True

    def left(self, now: datetime) -> Sequence[Tick]:
        """At the auction's end: today's prints that were not known to be ones."""
        today = [t for t in self._doubted.values() if ist(t.at).date() == ist(now).date()]
        found = [tick for tick in today if not self._was_held(tick)]
        self._doubted = {}
        for tick in found:
            self._hold(tick)
        return found

    def _hold(self, tick: Tick) -> None:
        self._held[tick.key] = ist(tick.at).date()

    def _was_held(self, tick: Tick) -> bool:
        return self._held.get(tick.key) == ist(tick.at).date()

    def _may_print(self, key: InstrumentKey, at: datetime) -> bool:
        phase = self._phase(key, at)
        if phase is Phase.AUCTION_LIMIT:
            phase = self._phase(key, at + RANDOM_END)
        return phase is Phase.AUCTION_MATCHING
