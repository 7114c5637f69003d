"""A walk forward as rows of words for a phone."""

from __future__ import annotations

import math
from datetime import date

from tests.backtest.made import made_result
from trader.backtest.trials.evaluate import Span
from trader.backtest.trials.goal import Goal
from trader.backtest.walkforward import Step, Walk, Window
from trader.backtest.walking import efficient, rows


def test_each_window_has_its_days_its_net_and_its_settings_in_34_columns() -> None:
    window = Window(Span(date(2024, 1, 1), date(2024, 3, 1)), Span(date(2024, 3, 4), date(2024, 4, 12)))
    result = made_result(3)
    chosen = dict.fromkeys(("period", "width", "threshold", "stop", "target"), "12.5")
    traded = Step(window, chosen, result, result, 0.3385, -5.686, "")
    nothing = Step(window, {}, None, None, math.nan, math.nan, "no settings kept the bounds")
    found = rows(Walk((traded, nothing), result, -0.19, ""), Goal.parse("sharpe", ()))
    assert found[0][0] == "1 4 Mar – 12 Apr 24"
    assert found[1] == (" sharpe 0.3385, then", "-5.686")
    settings = [name for name, value in found[2:] if not value]
    assert " ".join(part.strip() for part in settings) == " ".join(f"{n}={v}" for n, v in chosen.items())
    assert ("2 4 Mar – 12 Apr 24", "none") in found
    assert found[-1] == ("Efficiency", "-0.19")
    assert max(len(name) + bool(value) + len(value) for name, value in found) <= 34


def test_efficiency_that_is_not_defined_is_said_in_words() -> None:
    assert efficient(math.nan).startswith("The searches promised no gain")
    assert efficient(0.6).endswith("as asked.")
