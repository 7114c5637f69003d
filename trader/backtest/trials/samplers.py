"""Which point of a space to try next."""

from __future__ import annotations

import random
from collections.abc import Container
from typing import Protocol

from trader.backtest.space import Point, Space
from trader.backtest.trials.distributions import distributions, point_of
from trader.backtest.trials.goal import Goal
from trader.backtest.trials.tried import Tried
from trader.domain.errors import UnknownName

SAMPLERS = ("grid", "tpe")
_PATIENCE = 50  # proposals in a row that were known or refused, before a point is drawn at random
_DRAWS = 10_000


class Sampler(Protocol):
    def propose(self, known: Container[Point]) -> Point | None:
        """A combination the strategy takes and that is not known; None when none is left to find."""

    def learn(self, tried: Tried) -> None:
        """What a point was found to be worth, whoever tried it."""


def sampler_of(name: str, space: Space, goal: Goal, seed: int) -> Sampler:
    folded = name.strip().casefold()
    if folded not in SAMPLERS:
        raise UnknownName("sampler", name, SAMPLERS)
    return Grid(space, seed) if folded == "grid" else Tpe(space, goal, seed)


class Grid:
    """Every point once, in an order that depends on the seed only: a search stopped early has seen the whole
    space thinly, and workers with different seeds seldom try the same."""

    def __init__(self, space: Space, seed: int) -> None:
        self._points = space.grid()
        random.Random(seed).shuffle(self._points)  # noqa: S311  # an order, not a secret
        self._next = 0

    def propose(self, known: Container[Point]) -> Point | None:
        while self._next < len(self._points):
            point = self._points[self._next]
            self._next += 1
            if point not in known:
                return point
        return None

    def learn(self, tried: Tried) -> None:
        pass


class Tpe:
    """Optuna's tree-structured Parzen estimator (Bergstra et al. 2011) over a study in memory. Combinations
    the strategy refuses are told to it as pruned, which it keeps away from; ones already known as failed,
    which it ignores: telling them twice would draw it there again and again."""

    def __init__(self, space: Space, goal: Goal, seed: int) -> None:
        import optuna

        quiet()
        self._space = space
        self._random = random.Random(seed)  # noqa: S311  # an order, not a secret
        self._distributions = distributions(space)
        self._study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=seed, multivariate=len(space.axes) > 1),
            direction="maximize" if goal.higher else "minimize",
        )

    def propose(self, known: Container[Point]) -> Point | None:
        from optuna.trial import TrialState

        for _ in range(_PATIENCE):
            trial = self._study.ask(self._distributions)
            point = point_of(self._space, trial.params)
            if point in known:
                self._study.tell(trial, state=TrialState.FAIL)
            elif self._space.objection(point) is not None:
                self._study.tell(trial, state=TrialState.PRUNED)
            else:
                self._study.tell(
                    trial, state=TrialState.FAIL
                )  # its result comes by learn, as everybody's does
                return point
        return self._drawn(known)

    def learn(self, tried: Tried) -> None:
        self._study.add_trial(tried.trial(self._space, self._distributions))

    def _drawn(self, known: Container[Point]) -> Point | None:
        for _ in range(_DRAWS):
            point = tuple(self._random.randrange(len(axis.texts)) for axis in self._space.axes)
            if point not in known and self._space.objection(point) is None:
                return point
        if self._space.size <= _DRAWS:
            return next((point for point in self._space.points() if point not in known), None)
        return None


def quiet() -> None:
    """Optuna's own lines go to our log, and only what went wrong."""
    import optuna

    optuna.logging.disable_default_handler()
    optuna.logging.enable_propagation()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
