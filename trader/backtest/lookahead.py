"""Whether a strategy may be believed: it sees no future, keeps no memory, decides live as in a backtest, and
stands its own parameters. Every answer is the strategy's own, asked about candles of which more or less is
known.

The prefix test is the definition of not looking ahead turned into a program: what a strategy says of a bar
must not depend on whether later bars exist. Changing the future, instead of cutting it off, finds those that
look ahead only where there is something to look at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from trader.backtest.extremes import extremes, poor_markets
from trader.backtest.madeup import made_up, made_up_ticks, otherwise, ticks
from trader.backtest.tickcheck import on_ticks
from trader.backtest.trial import COLUMNS, IntArray, Matrix, Trial
from trader.backtest.verdict import Finding, Grade, Verdict
from trader.domain.errors import InvalidInput, StrategyFault
from trader.domain.market import Interval
from trader.strategy.bars import Bars, moment
from trader.strategy.joint import aligned
from trader.strategy.options import parse_settings
from trader.strategy.strategy import Strategy

LEAST_BARS, MOST_BARS = 1_500, 15_000
TICKS = 4_000
PREFIXES, FEWEST = 120, 25
FUTURES = 12  # ways in which what comes after a moment is changed
SHORTEST = 40  # bars of a history cut short; what it makes of fewer is looked at by itself
WINDOWS = 150  # live decisions that are compared with the whole history's
PATIENCE = 0.15  # seconds a look may take; a slow strategy is asked less, down to FEWEST
SLOW = 0.005  # seconds a live decision: fifty symbols that close at once would hold the desk for 0.25 s


def check(
    kind: type[Strategy],
    settings: Mapping[str, str] | None = None,
    bars: Sequence[Bars] = (),
    *,
    interval: Interval = Interval.M1,
    seed: int = 1,
) -> Verdict:
    """``settings`` as typed; ``bars`` of one instrument, or of as many as it decides on together (the newest
    15,000 are used), else made-up ones of ``interval`` from ``seed``. InvalidInput for settings or bars that
    cannot be. Whatever the author's code raises is a FAIL of the verdict."""
    begun = time.perf_counter()
    strategy = parse_settings(kind, settings or {}).strategy
    findings: list[Finding] = []
    interval = bars[0].interval if bars else interval
    with np.errstate(all="ignore"):
        try:
            findings += _on_bars(strategy, bars, interval, seed) if kind.decides_on_bars() else []
            if kind.decides_on_ticks():
                shown = list(ticks(bars[0])) if bars else made_up_ticks(TICKS, seed)
                findings += on_ticks(strategy, shown)
            findings += extremes(strategy, _data(strategy, (), interval, LEAST_BARS, seed))
        except StrategyFault as e:
            findings.append(Finding(Grade.FAIL, "Code", f"{e}."))
    findings.sort(key=lambda finding: -finding.grade)
    return Verdict(kind.name, findings, time.perf_counter() - begun)


def _on_bars(strategy: Strategy, bars: Sequence[Bars], interval: Interval, seed: int) -> list[Finding]:
    try:
        needed = strategy.bars_needed(interval)
    except (Exception, SystemExit) as e:  # an author's warm-up is code, too
        return [Finding(Grade.FAIL, "Warm-up", f"asking for it raised {type(e).__name__}: {e}.")]
    if needed < 1:
        return [Finding(Grade.FAIL, "Warm-up", f"expected at least one bar, was {needed}.")]
    length = min(max(3 * needed, LEAST_BARS), MOST_BARS)
    trial = Trial(strategy, _data(strategy, bars, interval, length, seed), needed, seed)
    findings: list[Finding] = []
    looks: tuple[Callable[[Trial], Finding], ...] = (future, memory, drift, poor_markets, anything, speed)
    for look in looks:
        try:
            findings.append(look(trial))
        except StrategyFault as e:  # the others have something to say all the same
            findings.append(Finding(Grade.FAIL, "Code", f"{e}."))
    return list(dict.fromkeys(findings))


def _data(strategy: Strategy, bars: Sequence[Bars], interval: Interval, length: int, seed: int) -> list[Bars]:
    """``length`` bars of as many instruments as it takes, the same starts for all."""
    symbols = strategy.together or 1
    if not bars:
        return aligned(made_up(interval, length, symbols, seed))[0]
    if len(bars) != symbols:
        raise InvalidInput(f"Expected bars of {symbols} for {strategy.name}, were of {len(bars)}")
    return [one[-MOST_BARS:] for one in aligned(bars)[0]]


# -- the looks ------------------------------------------------------------------------------------------


def future(trial: Trial) -> Finding:
    """Cut the bars after a moment off, or change them: what was said before it must stay."""
    ends = _moments(trial, trial.affordable(PREFIXES, FEWEST, PATIENCE))
    wrong = 0
    first = ""
    for end in ends:
        said = trial.ask([bars[:end] for bars in trial.data])
        if (difference := _difference(trial, said, end)) is not None:
            wrong, first = wrong + 1, first or difference
    changed = ends[:: max(len(ends) // FUTURES, 1)]
    for end in changed:
        said = trial.ask([otherwise(bars, end, seed) for seed, bars in enumerate(trial.data)])
        if (difference := _difference(trial, said[:, :end], end)) is not None:
            wrong, first = wrong + 1, first or difference
    if not wrong:
        return Finding(
            Grade.OK, "Future", f"not seen, in {len(ends)} histories cut short and {len(changed)} changed."
        )
    return Finding(
        Grade.FAIL,
        "Look-ahead",
        f"{first} is another once later bars are known. That is so in {wrong} of"
        f" {len(ends) + len(changed)} tries: a backtest would earn what nobody can.",
    )


def _moments(trial: Trial, count: int) -> list[int]:
    """Lengths of histories: after and just before bars with signals, where a look ahead shows, and
    anywhere."""
    n = len(trial.data[0])
    telling = trial.telling(count // 2)
    anywhere = np.linspace(1, n - 1, max(count // 4, 1)).astype(np.int64)
    chance = trial.random.integers(1, n, count // 4)
    every = np.concatenate([telling + 1, telling[::3], anywhere, chance])
    return sorted({int(end) for end in every if SHORTEST < end < n}) or [n - 1]


def _difference(trial: Trial, said: Matrix, end: int) -> str | None:
    rows, at = np.nonzero(said != trial.whole[:, :end])
    if not len(at):
        return None
    last = int(np.argmax(at))
    bars, column = trial.data[rows[last] // len(COLUMNS)], COLUMNS[rows[last] % len(COLUMNS)]
    return f"{column} of the bar of {moment(int(bars.start[at[last]])):%-d %b %H:%M}"


def memory(trial: Trial) -> Finding:
    """The same bars, the same answer, whatever was asked before, and of whichever object."""
    one = trial.strategy.fresh()
    n = len(trial.data[0])
    parts = [trial.data, [bars[: n // 2] for bars in trial.data], [bars[n // 3 :] for bars in trial.data]]
    before = [trial.ask(part, one) for part in parts]
    again = [trial.ask(part, one) for part in reversed(parts)][::-1]
    others = [trial.ask(part) for part in parts]
    same = all(
        np.array_equal(a, b) and np.array_equal(a, c) for a, b, c in zip(before, again, others, strict=True)
    )
    width = min(trial.needed, n - 40)
    for begin in range(20):  # as it is asked live: bar after bar
        window = [bars[begin : begin + max(width, 1)] for bars in trial.data]
        same = same and np.array_equal(trial.ask(window, one), trial.ask(window))
    if same:
        return Finding(Grade.OK, "Memory", "none: the same bars get the same answer.")
    return Finding(
        Grade.FAIL,
        "Memory",
        "the same bars got different answers. signals must not use what it kept from other calls, nor chance:"
        " live, in a backtest and after a restart it would trade differently.",
    )


def drift(trial: Trial) -> Finding:
    """Live decisions, over a window of the newest bars, against the whole history's."""
    n, needed = len(trial.data[0]), trial.needed
    if needed > n - 20:
        return Finding(Grade.WARN, "Warm-up", f"of {needed:,} bars not compared: there were {n:,}.")
    most = trial.affordable(WINDOWS, FEWEST, PATIENCE, rows=needed)
    telling = trial.telling(most)
    rows = np.concatenate([telling, trial.random.integers(needed, n, most // 2)])
    rows = np.unique(rows[rows >= needed])
    wrong = _drifted(trial, rows, needed)
    if not len(wrong):
        return Finding(Grade.OK, "Warm-up", f"{needed:,} bars decide as all do, in {len(rows)} moments.")
    enough = next((w for k in (2, 4, 8, 16) if (w := k * needed) < n and _suffices(trial, rows, wrong, w)), 0)
    advice = (
        f"A warmup of {2 * enough:,} would do."  # twice what did here, for other moments
        if enough
        else "No longer window helped: what it says depends on where its bars begin."
    )
    return Finding(
        Grade.WARN,
        "Warm-up",
        f"over {needed:,} bars it decides otherwise than over all, in {len(wrong)} of {len(rows)} moments"
        f" ({100 * len(wrong) / len(rows):.2g} %): live it would trade differently than tested. {advice}",
    )


def _drifted(trial: Trial, rows: IntArray, needed: int) -> IntArray:
    """The rows on which a window says something else."""
    wrong = [
        row
        for row in rows.tolist()
        if not np.array_equal(
            trial.ask([bars[row + 1 - needed : row + 1] for bars in trial.data])[:, -1], trial.whole[:, row]
        )
    ]
    return np.array(wrong, dtype=np.int64)


def _suffices(trial: Trial, rows: IntArray, wrong: IntArray, needed: int) -> bool:
    """Whether a longer window puts right what can be compared with more than itself."""
    return bool((wrong >= needed).any()) and not len(_drifted(trial, rows[rows >= needed], needed))


def anything(trial: Trial) -> Finding:
    n = len(trial.data[0])
    entries = int(trial.entries.sum())
    if entries:
        return Finding(Grade.OK, "Signals", f"{entries:,} entries asked for on {n:,} bars.")
    return Finding(
        Grade.WARN, "Signals", f"none on {n:,} bars of {trial.data[0].interval}: it would never enter."
    )


def speed(trial: Trial) -> Finding:
    seconds = trial.live_seconds()
    text = (
        f"{_duration(seconds)} a decision live, {_duration(trial.seconds / len(trial.data[0]))} a bar tested."
    )
    return Finding(Grade.WARN if seconds > SLOW else Grade.OK, "Time", text)


def _duration(seconds: float) -> str:
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.1f} ms"
    micros = max(seconds * 1e6, 0.01)
    return f"{micros:.0f} µs" if micros >= 10 else f"{micros:.2g} µs"
