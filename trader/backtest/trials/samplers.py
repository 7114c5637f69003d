"""Which point of a space to try next."""

from __future__ import annotations

import random
from collections.abc import Container
from typing import TYPE_CHECKING, Any, Protocol

from trader.backtest.space import Axis, Point, Space
from trader.backtest.trials.goal import Goal
from trader.domain.errors import UnknownName

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from trader.backtest.trials.tried import Tried

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


def distributions(space: Space) -> dict[str, BaseDistribution]:
    return {axis.name: _distribution(axis) for axis in space.axes}


def params(space: Space, point: Point) -> dict[str, Any]:
    """The values Optuna stores for a point: numbers as numbers, so that its own tools read them."""
    return {axis.name: _values(axis)[i] for axis, i in zip(space.axes, point, strict=True)}


def point_of(space: Space, given: dict[str, Any]) -> Point:
    """Back from Optuna's values; a float meets its text again although the sum of steps rounds."""
    return tuple(_place(axis, given[axis.name]) for axis in space.axes)


def quiet() -> None:
    """Optuna's own lines go to our log, and only what went wrong."""
    import optuna

    optuna.logging.disable_default_handler()
    optuna.logging.enable_propagation()
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _values(axis: Axis) -> tuple[Any, ...]:
    if not axis.numeric:
        return axis.texts
    return tuple(int(text) for text in axis.texts) if axis.whole else axis.numbers


def _distribution(axis: Axis) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    values = _values(axis)
    step = axis.step
    if step is None:
        return CategoricalDistribution(values)
    if axis.whole:
        return IntDistribution(values[0], values[-1], step=int(step))
    return FloatDistribution(values[0], values[-1], step=float(step))


def _place(axis: Axis, value: Any) -> int:
    if not axis.numeric:
        return axis.texts.index(value)
    numbers = axis.numbers
    return min(range(len(numbers)), key=lambda i: abs(numbers[i] - value))
