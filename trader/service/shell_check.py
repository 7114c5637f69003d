"""``bot.py check``: whether a strategy may be believed, on made-up candles or on real ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from trader.domain.errors import InvalidInput
from trader.domain.instrument import symbol_of
from trader.domain.times import IST
from trader.market.symbols import instrument_of
from trader.service.settings import Settings
from trader.service.shell import FINE, FOUND, console, source_of, spanned, told
from trader.strategy.catalogue import Catalogue

if TYPE_CHECKING:
    from trader.backtest.asked import Asked
    from trader.backtest.verdict import Verdict
    from trader.strategy.bars import Bars
    from trader.strategy.strategy import Strategy

USAGE: Final = "bot.py check NAME [SYMBOLS INTERVAL 90d data=FOLDER] [key=value …]"
_WIDE = 80


def run(settings: Settings, catalogue: Catalogue, words: Sequence[str]) -> int:
    """FOUND when it must not be started."""
    from trader.backtest.asked import asked, only
    from trader.backtest.lookahead import check
    from trader.backtest.verdict import Grade

    today = datetime.now(IST).date()
    wanted = asked(words, today, USAGE, bare=True)
    only(wanted.own, ("data", "seed"), USAGE)
    if "data" in wanted.own and not wanted.symbols:
        raise InvalidInput(f"Expected symbols whose candles to take from data=. Usage: {USAGE}")
    kind = catalogue.get(wanted.strategy)
    if wanted.symbols:
        [wanted] = spanned(settings, [wanted], today)
    seed = _seed(wanted)
    verdicts: list[tuple[str, Verdict]] = []
    with told() as tell:
        if not wanted.symbols:
            tell(0, 0, "asking it")
            found = check(kind, wanted.settings, interval=wanted.interval, seed=seed)
            verdicts.append((f"made-up candles of {wanted.interval}", found))
        else:
            tell(0, 0, "reading candles")
        for names, bars in _groups(settings, wanted, kind):
            tell(0, 0, f"asking it about {names}")
            verdicts.append((names, check(kind, wanted.settings, bars, seed=seed)))
    for on, verdict in verdicts:
        _show(kind.name, f"{on}, {wanted.counted}" if wanted.counted else on, verdict)
    return FOUND if any(verdict.grade is Grade.FAIL for _, verdict in verdicts) else FINE


def _seed(wanted: Asked) -> int:
    from trader.backtest.work import number

    return int(number("seed", wanted.own.get("seed", "1"), 0, 2**31))


def _groups(settings: Settings, wanted: Asked, kind: type[Strategy]) -> list[tuple[str, list[Bars]]]:
    """As many instruments at a time as it decides on together, with a name for them."""
    if not wanted.symbols:
        return []
    together = kind.together or 1
    if len(wanted.symbols) % together:
        raise InvalidInput(
            f"{kind.name} decides on {together} instruments together: expected {together} symbols, or "
            f"several times as many, were {len(wanted.symbols)}"
        )
    keys = [instrument_of(symbol).key for symbol in wanted.symbols]
    source = source_of(settings, wanted.own.get("data"))
    found = source.candles(keys, wanted.interval, wanted.first, wanted.last)
    groups = [list(group) for group in zip(*[iter(keys)] * together, strict=True)]
    return [
        (
            f"{', '.join(symbol_of(key) for key in group)} {wanted.interval}",
            [found.data[key] for key in group],
        )
        for group in groups
    ]


def _show(name: str, on: str, verdict: Verdict) -> None:
    screen = console()
    screen.print(f"{name} on {on}", style="bold")
    for line in verdict.lines(_WIDE):
        screen.print(line, soft_wrap=True)
    screen.print(f"{_conclusion(verdict)} ({verdict.seconds:.1f} s)")
    screen.print()


def _conclusion(verdict: Verdict) -> str:
    from trader.backtest.verdict import Grade

    return {
        Grade.OK: "It may be started.",
        Grade.WARN: "It may be started, knowing this.",
        Grade.FAIL: "It must not be started.",
    }[verdict.grade]
