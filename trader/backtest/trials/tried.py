"""What one trial was worth, and how it is written down in Optuna's own rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from trader.backtest.space import Point, Space
from trader.backtest.trials.distributions import params
from trader.backtest.trials.goal import Facts, Goal

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

# The one user attribute of a trial: each attribute is a statement of its own to the database.
_ABOUT = "munim"


@dataclass(frozen=True, slots=True)
class Tried:
    """``value`` is the objective's; NaN when it is not defined there (no trade, no deviation) or the trial
    failed, and then ``why`` says so. ``breaches`` holds every constraint's: above 0 breaks it. ``figures`` as
    ``goal.Facts`` has them; ``sharpe_daily`` is not annualised."""

    point: Point
    settings: Mapping[str, str]  # the searched ones
    value: float
    breaches: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    figures: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    sharpe_daily: float = float("nan")
    why: str = ""

    @property
    def defined(self) -> bool:
        return math.isfinite(self.value)

    @property
    def allowed(self) -> bool:
        """Defined, and within every constraint."""
        return self.defined and all(breach <= 0 for breach in self.breaches.values())

    @property
    def excess(self) -> float:
        return sum(max(0.0, breach) for breach in self.breaches.values())

    @classmethod
    def of(cls, space: Space, point: Point, goal: Goal, facts: Facts) -> Tried:
        value = goal.value(facts.figures)
        trades = facts.figures.get("trades", 0.0)
        return cls(
            point,
            space.searched(point),
            value,
            {str(one): one.breach(facts.figures) for one in goal.constraints},
            facts.figures,
            facts.sharpe_daily,
            "" if math.isfinite(value) else f"{goal.objective} is not defined on {trades:.0f} trades",
        )

    @classmethod
    def failed(cls, space: Space, point: Point, why: str) -> Tried:
        return cls(point, space.searched(point), float("nan"), why=why)

    def trial(self, space: Space, distributions: Mapping[str, BaseDistribution]) -> FrozenTrial:
        """A finished trial: complete, or pruned where there is no value."""
        from optuna.trial import TrialState, create_trial

        about: dict[str, Any] = {
            "settings": dict(self.settings),
            "figures": dict(self.figures),
            "why": self.why,
        }
        if math.isfinite(self.sharpe_daily):
            about["sharpe_daily"] = self.sharpe_daily
        return create_trial(
            state=TrialState.COMPLETE if self.defined else TrialState.PRUNED,
            value=self.value if self.defined else None,
            params=params(space, self.point),
            distributions=dict(distributions),
            user_attrs={_ABOUT: about},
            constraints=dict(self.breaches),
        )

    @classmethod
    def from_trial(cls, space: Space, trial: FrozenTrial) -> Tried | None:
        """None for a trial of another hand, or unfinished."""
        about = trial.user_attrs.get(_ABOUT)
        if about is None or not trial.state.is_finished():
            return None
        point = space.point(about["settings"])
        if point is None:
            return None
        return cls(
            point,
            about["settings"],
            trial.value if trial.value is not None else float("nan"),
            dict(trial.constraints),
            about["figures"],
            about.get("sharpe_daily", float("nan")),
            about["why"],
        )
