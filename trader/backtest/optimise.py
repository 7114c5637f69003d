"""A whole optimisation: search all but the last days, try the best on those, and say how much is luck."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trader.backtest.overfitting import Verdict, judge
from trader.backtest.search import USUAL, Found, Plan, Progress, search
from trader.backtest.space import Space
from trader.backtest.trials.evaluate import EVERYTHING, Evaluate, Span, split, trading_days
from trader.backtest.trials.goal import Facts, Goal, figure_text
from trader.backtest.walkforward import HeldOut, held_out
from trader.domain.errors import InvalidInput

HELD_OUT = 0.25
_FIGURES = ("net", "sharpe", "max_drawdown", "profit_factor", "win_rate", "trades")


@dataclass(frozen=True, slots=True)
class Optimised:
    """``held`` is None when nothing kept the bounds or no days were held out; ``verdict`` when stopped before
    anything was found."""

    found: Found
    held: HeldOut | None
    verdict: Verdict | None

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.verdict.warnings if self.verdict is not None else ()

    def rows(self) -> list[tuple[str, str, str]]:
        """A figure's name, its text on the days searched, and on the days held out; the objective first."""
        if self.held is None:
            return []
        seen, unseen = Facts.of(self.held.seen).figures, Facts.of(self.held.unseen).figures
        names = dict.fromkeys((self.found.goal.objective, *_FIGURES))
        nothing = float("nan")
        return [
            (name, figure_text(name, seen.get(name, nothing)), figure_text(name, unseen.get(name, nothing)))
            for name in names
        ]


def optimise(
    evaluate: Evaluate,
    space: Space,
    goal: Goal,
    *,
    span: Span = EVERYTHING,
    holdout: float = HELD_OUT,
    plan: Plan = USUAL,
    storage: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Optimised:
    """``holdout`` is the share of the span's days, its last, that the search never sees; 0 holds none out.
    InvalidInput as ``search`` has it."""
    seen, unseen = parts(evaluate, space, span, holdout)
    found = search(
        evaluate, space, goal, span=seen, plan=plan, storage=storage, progress=progress, cancel=cancel
    )
    return conclude(evaluate, found, unseen)


def conclude(evaluate: Evaluate, found: Found, unseen: Span | None) -> Optimised:
    """What a finished search is worth."""
    if found.best is None:
        return Optimised(found, None, judge(found, evaluate) if found.tried else None)
    held = held_out(evaluate, found, unseen) if unseen is not None else None
    verdict = judge(found, evaluate, value_unseen=held.value_unseen if held is not None else None)
    return Optimised(found, held, verdict)


def parts(evaluate: Evaluate, space: Space, span: Span, holdout: float) -> tuple[Span, Span | None]:
    """The days to search and the days to hold out, as ``search_together`` and ``conclude`` want them."""
    if not 0.0 <= holdout < 1.0:
        raise InvalidInput(f"Expected a part from 0 to below 1 to be held out, was {holdout:g}")
    if holdout == 0.0:
        return span, None
    # Only its days are looked at: the calendar of these candles, not what was traded on them.
    days = trading_days(evaluate(space.settings(next(space.points())), span))
    return split(days, holdout)
