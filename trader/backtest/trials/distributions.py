"""A space and its points as Optuna stores them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trader.backtest.space import Axis, Point, Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def distributions(space: Space) -> dict[str, BaseDistribution]:
    return {axis.name: _distribution(axis) for axis in space.axes}


def params(space: Space, point: Point) -> dict[str, Any]:
    """The values Optuna stores for a point: numbers as numbers, so that its own tools read them."""
    return {axis.name: _values(axis)[i] for axis, i in zip(space.axes, point, strict=True)}


def point_of(space: Space, given: dict[str, Any]) -> Point:
    """Back from Optuna's values; a float meets its text again although the sum of steps rounds."""
    return tuple(_place(axis, given[axis.name]) for axis in space.axes)


def _values(axis: Axis) -> tuple[Any, ...]:
    if not axis.numeric:
        return axis.texts
    return tuple(int(number) for number in axis.numbers) if axis.whole else axis.numbers


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
