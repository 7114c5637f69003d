from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.order import Product
from trader.strategy import Param, Signals, Strategy
from trader.strategy.info import ParamInfo, StrategyInfo, option_infos, strategy_info
from trader.strategy.options import OPTIONS, Options, parse_settings


class Trend(Strategy):
    """Follows."""

    fast = Param(9, low=2, high=50, help="bars of the fast average")
    slow = Param(21, low=5, high=200)
    calm = Param(False)
    options: ClassVar = {"target": "0", "trail": "1.5"}

    def check(self) -> str | None:
        return None if self.fast < self.slow else "fast must be less than slow"

    def signals(self, bars):
        return Signals()


def test_every_parameter_and_option_is_recorded_as_sorted_text():
    configured = parse_settings(Trend, {"fast": " 12 ", "STOP": "0.50%", "product": "cnc", "Side": "Long"})
    assert configured.settings == (
        ("calm", "no"),
        ("fast", "12"),
        ("max_positions", "5"),
        ("product", "CNC"),
        ("quantity", "0"),
        ("risk", "1"),
        ("side", "long"),
        ("slow", "21"),
        ("stop", "0.5"),
        ("target", "0"),
        ("trail", "1.5"),
    )
    assert configured.strategy.values() == {"fast": 12, "slow": 21, "calm": False}
    assert configured.options == Options(stop=0.5, target=0.0, trail=1.5, product=Product.CNC, side="long")


SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "fast": st.integers(2, 50).map(str),
        "slow": st.integers(51, 200).map(str),
        "calm": st.sampled_from(["yes", "no", "On", "0"]),
        "stop": st.floats(0.1, 20).map(repr),
        "target": st.one_of(st.just("0"), st.floats(0.1, 100).map(repr)),
        "trail": st.one_of(st.just("0"), st.floats(0.1, 20).map(repr)),
        "risk": st.floats(0.01, 2).map(repr),
        "side": st.sampled_from(["both", "long", "SHORT"]),
        "max_positions": st.integers(1, 50).map(str),
        "quantity": st.integers(0, 1_000_000).map(str),
    },
)


@given(SETTINGS)
def test_recorded_settings_start_the_same_strategy_again(texts):
    texts = {"slow": "51", **texts}
    first = parse_settings(Trend, texts)
    again = parse_settings(Trend, dict(first.settings), {"risk": "0.3", "stop": "7"})
    assert again == first
    assert again.strategy.values() == first.strategy.values()


def test_what_is_given_beats_the_class_beats_the_desk_beats_the_built_in():
    desk = {"risk": "0.5", "target": "9", "stop": "3"}
    options = parse_settings(Trend, {"stop": "4"}, desk).options
    assert (options.stop, options.target, options.risk, options.max_positions) == (4.0, 0.0, 0.5, 5)


@pytest.mark.parametrize(
    ("given_texts", "sentence"),
    [
        ({"fats": "9"}, "No setting of trend is called 'fats'. Did you mean fast?"),
        ({"prodct": "MIS"}, "No setting of trend is called 'prodct'. Did you mean product?"),
        ({"fast": "1"}, "fast is 1: expected 2 to 50"),
        ({"stop": "0"}, "stop is 0: expected 0.1 to 20"),
        ({"risk": "2.01"}, "risk is 2.01: expected 0.01 to 2"),
        ({"target": "0.01"}, "target is 0.01: expected 0 for none, or at least 0.1"),
        ({"side": "shrt"}, "side is shrt: expected both, long or short. Did you mean short?"),
        ({"fast": "30", "slow": "20"}, "fast must be less than slow"),
        (
            {"product": "CNC"},
            "product is CNC and side is both: delivery cannot be sold short; give side=long, or product=MIS",
        ),
        (
            {"product": "CNC", "side": "short"},
            "product is CNC and side is short: delivery cannot be sold short; give side=long, or product=MIS",
        ),
    ],
)
def test_a_fault_is_answered_with_its_own_sentence(given_texts, sentence):
    with pytest.raises(InvalidInput) as caught:
        parse_settings(Trend, given_texts)
    assert str(caught.value) == sentence


def test_a_single_unknown_name_carries_its_suggestion():
    with pytest.raises(UnknownName) as caught:
        parse_settings(Trend, {"tral": "1"})
    assert caught.value.suggestion == "trail"


def test_all_faults_are_told_at_once():
    with pytest.raises(InvalidInput) as caught:
        parse_settings(Trend, {"fast": "x", "stop": "50", "colour": "red"})
    assert str(caught.value).splitlines() == [
        "These settings cannot be used:",
        "- fast is x: expected a whole number, 2 to 50",
        "- stop is 50: expected 0.1 to 20",
        "- No setting of trend is called 'colour'. Known: calm, fast, max_positions, product, "
        "quantity, risk, side, slow, stop, target, trail.",
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"stop": 0.0},
        {"stop": float("nan")},
        {"risk": 2.5},
        {"target": -1.0},
        {"product": Product.MTF, "side": "short"},
        {"product": Product.CNC},
        {"max_positions": 0},
        {"side": "up"},
    ],
)
def test_options_that_cannot_be_cannot_be_built_either(values):
    with pytest.raises(InvalidInput):
        Options(**values)


def test_the_built_in_defaults_agree():
    assert parse_settings(type("Plain", (Strategy,), {}), {}).options == Options()


def test_help_tells_names_defaults_spans_and_meanings():
    assert strategy_info(Trend) == StrategyInfo(
        "trend",
        "Follows.",
        (
            ParamInfo("fast", "9", "2 to 50", "bars of the fast average"),
            ParamInfo("slow", "21", "5 to 200", ""),
            ParamInfo("calm", "no", "yes or no", ""),
        ),
    )
    shown = {info.name: info for info in option_infos(Trend, {"risk": "0.5", "target": "9"})}
    assert shown.keys() == OPTIONS.keys()
    assert (shown["target"].default, shown["risk"].default, shown["stop"].default) == ("0", "0.5", "1")
    assert all(info.help and info.span for info in shown.values())
