"""Every error Munim raises on purpose. A leaf has one consequence, named beside it.

MunimError
├── InvalidInput            answer the sentence, change nothing
│   ├── UnknownName         the same, with a "did you mean"
│   └── SettingsError       refuse to start, list every fault at once
├── BrokerError
│   ├── OrderRefused        the broker provably did not take it: the order is REJECTED
│   │   ├── OrderNotSent    it never left this machine, the broker knows nothing: NOT_PLACED
│   │   ├── TooManyRequests too soon after others, no word on the order itself: a stop is tried again
│   │   ├── ChangesUsedUp   the order takes no more changes: it is cancelled and placed anew
│   │   └── OrdersBarred    the same, and it would refuse any other: the desk halts
│   ├── OutcomeUnknown      nobody knows: the order is UNKNOWN and is never sent again
│   ├── BrokerUnavailable   a read failed: absence proves nothing, try again later
│   └── LoginNeeded         the broker's session is over or was never begun: ask the owner to log in
├── LedgerError
│   ├── CommitFailed        nothing was recorded, so nothing may be sent: the desk halts
│   └── LedgerTooNew        the database is newer than this code: refuse to start
├── AlreadyRunning          another process holds the desk's lock: refuse to start
├── FeedError               the market data cannot be read: say where and why
├── InstrumentsStale        the list of instruments is not of this market day: refuse to trade live
└── StrategyFault           a strategy raised: it alone is stopped
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 60  # characters of a name nobody knows
_BEGINNING = 2  # letters that can stand for a longer name


class MunimError(Exception):
    """Root of the tree; its text is a sentence the owner can act on."""


class InvalidInput(MunimError):
    """What was typed or configured cannot be meant."""


class UnknownName(InvalidInput):
    """A name nobody knows, with the nearest one that exists.

    ``kind`` is the word for the thing ("strategy"), ``known`` all the names there are; or, where they are too
    many to compare, some of them and the ``suggestion`` found in another way. ``ordered``: they are listed as
    they come, not by the alphabet.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        known: Iterable[str],
        suggestion: str | None = None,
        *,
        ordered: bool = False,
    ) -> None:
        names = list(known) if ordered else sorted(known)
        near = suggestion or nearest(name[:_SHOWN], names)
        if near:
            hint = f"Did you mean {near}?"
        elif names:
            hint = f"Known: {', '.join(names[:12])}{' …' if len(names) > 12 else ''}."
        else:
            hint = "There is none."
        shown = name if len(name) <= _SHOWN else f"{name[: _SHOWN - 1]}…"
        super().__init__(f"No {kind} is called {shown!r}. {hint}")
        self.suggestion = near


class SettingsError(InvalidInput):
    """The configuration cannot be used; ``faults`` lists every reason."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("The settings cannot be used:\n" + "\n".join(f"- {f}" for f in self.faults))


class BrokerError(MunimError):
    """The broker, or the way to it."""


class OrderRefused(BrokerError):
    """The broker provably did not accept the request; its own words are the text."""


class OrderNotSent(OrderRefused):
    """Refused on this side of the wire: the text says by whom and why, and is not the broker's."""


class TooManyRequests(OrderRefused):
    """Refused for the pace or the number of requests: the same order a little later may be taken."""


class OrdersBarred(OrderRefused):
    """The broker takes no orders from us as things are: an address that is not registered, a permission
    that is missing."""


class ChangesUsedUp(OrderRefused):
    """The broker bounds how often one order is changed, whoever changed it."""


class OutcomeUnknown(BrokerError):
    """The request may or may not have been accepted."""


class BrokerUnavailable(BrokerError):
    """A read did not come back; nothing follows from it."""


class LoginNeeded(BrokerError):
    """The broker wants a new login; nothing else of it answers before."""


class LedgerError(MunimError):
    """The record keeper."""


class CommitFailed(LedgerError):
    """A transaction was not written."""


class LedgerTooNew(LedgerError):
    """The database was written by a newer Munim."""


class AlreadyRunning(MunimError):
    """Another Munim trades from the same records."""


class FeedError(MunimError):
    """Market data that cannot be read or understood."""


class InstrumentsStale(MunimError):
    """The instruments are of an earlier day; lots, ticks and tokens may have changed since."""


class StrategyFault(MunimError):
    """A strategy's own code raised; the cause is chained."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to ``name``, or the only one that begins with it, ignoring case; None when
    nothing is near."""
    folded = {k.casefold(): k for k in known}
    name = name.casefold()
    match = get_close_matches(name, folded, n=1, cutoff=0.6)
    if not match and len(name) >= _BEGINNING:
        longer = [k for k in folded if k.startswith(name)]
        match = longer if len(longer) == 1 else []
    return folded[match[0]] if match else None
