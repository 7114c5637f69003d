"""``bot.py portfolio``: several strategies together, and how the capital is shared out among them.

    ema_crossover:RELIANCE,INFY fast=9 supertrend:SBIN width=2 5m 1y weigh=hrp

Settings before the first strategy are for all of them, those after one are its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from trader.domain.errors import InvalidInput
from trader.domain.times import IST
from trader.service.settings import Settings
from trader.service.shell import FINE, bullet, console, shelf_of, show, source_of, spec_for, table, told
from trader.strategy.catalogue import Catalogue

if TYPE_CHECKING:
    from rich.console import Console

    from trader.backtest.allocation import Returns, Weights
    from trader.backtest.asked import Asked
    from trader.backtest.outcome import Tell
    from trader.backtest.result import Result
    from trader.backtest.run import Backtester
    from trader.backtest.spec import Leg, Spec
    from trader.backtest.trials.evaluate import Span

USAGE: Final = (
    "bot.py portfolio ema_crossover:RELIANCE,INFY [key=value …] supertrend:SBIN [key=value …] INTERVAL 1y "
    "[weigh=equal|inverse_volatility|kelly|risk_parity|hrp|max_sharpe] [holdout=50] [cap=50] [data=FOLDER]"
)
HOLD_OUT_PCT: Final = 50.0  # of the days: the shares are found on those before
_MOST = 12  # strategies, for the table of how alike they are


@dataclass(slots=True)
class _Part:
    strategy: str
    symbols: str
    settings: list[str] = field(default_factory=list)


def run(settings: Settings, catalogue: Catalogue, words: Sequence[str]) -> int:
    from trader.backtest.asked import OWN, RULES, only
    from trader.backtest.work import number

    own = [word for word in words if word.partition("=")[0].casefold() in OWN and "=" in word]
    parts, common = _parts([word for word in words if word not in own])
    each = [_asked(part, [*common, *own]) for part in parts]
    only(each[0].own, (*RULES, "weigh", "holdout", "cap"), USAGE)
    spec = _spec(settings, catalogue, each)
    share = number("holdout", each[0].own.get("holdout", f"{HOLD_OUT_PCT:g}").removesuffix("%"), 0, 90) / 100
    with told() as tell:
        shown = _tested(settings, catalogue, each[0], spec, share, _line(each[0], words), tell)
    shown.show(console())
    return FINE


def _line(first: Asked, words: Sequence[str]) -> str:
    from trader.service.shell import typed

    return typed("portfolio", words, first)


# -- what was typed ---------------------------------------------------------------------------------------


def _parts(words: Sequence[str]) -> tuple[list[_Part], list[str]]:
    """The strategies with their own settings, and what is meant for all."""
    parts: list[_Part] = []
    common: list[str] = []
    for word in words:
        name, colon, symbols = word.partition(":")
        if "=" in word:
            (parts[-1].settings if parts else common).append(word)
        elif colon and symbols:
            parts.append(_Part(name, symbols))
        else:
            common.append(word)
    if not parts:
        raise InvalidInput(f"Expected strategies with their symbols, NAME:SYMBOLS. Usage: {USAGE}")
    if len(parts) > _MOST:
        raise InvalidInput(f"Expected at most {_MOST} strategies, were {len(parts)}")
    return parts, common


def _asked(part: _Part, common: Sequence[str]) -> Asked:
    """Its own settings instead of the common ones of that name."""
    from trader.backtest.asked import asked

    mine = {word.partition("=")[0].casefold() for word in part.settings}
    others = [word for word in common if "=" not in word or word.partition("=")[0].casefold() not in mine]
    return asked([part.strategy, *part.symbols.split(","), *others, *part.settings], _today(), USAGE)


def _today() -> object:
    return datetime.now(IST).date()


def _spec(settings: Settings, catalogue: Catalogue, each: Sequence[Asked]) -> Spec:
    """Each strategy a leg of its own name, under the limits of all."""
    specs = [spec_for(settings, catalogue, one) for one in each]
    legs: list[Leg] = []
    for one in specs:
        leg = one.legs[0]
        before = sum(other.strategy == leg.strategy for other in legs)
        legs.append(replace(leg, name=f"{leg.name}-{before + 1}") if before else leg)
    return replace(specs[0], legs=tuple(legs))


# -- the test ---------------------------------------------------------------------------------------------
