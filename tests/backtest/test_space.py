"""Typed ranges become a space that only holds what the strategy takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.breakout import Breakout
from strategies.ema_crossover import EmaCrossover
from strategies.rsi_mean_reversion import RsiMeanReversion
from trader.backtest.space import Axis, Space
from trader.domain.errors import InvalidInput, UnknownName
from trader.strategy import Bars, Param, Signals, Strategy
from trader.strategy.options import OPTIONS, parse_settings


@pytest.mark.parametrize(
    ("typed", "texts"),
    [
        ({"fast": "5:8:1"}, ("5", "6", "7", "8")),
        ({"fast": "5:8"}, ("5", "6", "7", "8")),
        ({"slow": "20:34:5"}, ("20", "25", "30")),
        ({"stop": "0.5:2:0.25"}, ("0.5", "0.75", "1", "1.25", "1.5", "1.75", "2")),
        ({"stop": "0.5%:1%:0.25%"}, ("0.5", "0.75", "1")),
        ({"stop": "0.1:0.5:0.1"}, ("0.1", "0.2", "0.3", "0.4", "0.5")),
        ({"fast": "12, 5,9,5"}, ("5", "9", "12")),
        ({"side": "Long,short"}, ("long", "short")),
        ({"side": "*"}, ("both", "long", "short")),
        ({"FAST": "5:6"}, ("5", "6")),
    ],
)
def test_a_typed_range_is_a_row_of_canonical_values(typed: dict[str, str], texts: tuple[str, ...]) -> None:
    (axis,) = Space.parse(EmaCrossover, typed).axes
    assert axis.texts == texts


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"fsat": "5:10"}, "Did you mean fast?"),
        ({"fast": "1:30"}, "fast is 1: expected 2 to 50"),
        ({"fast": "5:99"}, "fast is 99: expected 2 to 50"),
        ({"fast": "30:5"}, "the low end first"),
        ({"fast": "4-13"}, "a range is low:high or low:high:step, as in fast=4:13"),
        ({"fast": "4..13"}, "as in fast=4:13"),
        ({"stop": "0.5%–2%"}, "as in stop=0.5%:2%"),
        ({"fast": "5:30:0.5"}, "the step as a whole number above 0"),
        ({"stop": "1:2:0"}, "the step as a number above 0"),
        ({"stop": "1:2:nan"}, "the step as a number above 0"),
        ({"stop": "1:2:x"}, "expected low:high:step"),
        ({"stop": "1:2:3:4"}, "expected low:high:step"),
        ({"stop": "0.1:20:0.001"}, "make the step larger"),
        ({"fast": "5%:30%:1"}, "fast is 5%: expected a whole number"),
        ({"side": "long:short"}, "expected a list"),
        ({"side": "long,shrt"}, "Did you mean short?"),
        ({"fast": "5:6", "Fast": "7:8"}, "given twice"),
        ({"fast": "30:50", "slow": "5:20"}, "No combination"),
    ],
)
def test_what_cannot_be_meant_is_answered_in_words(typed: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidInput, match="(?i)" + words.replace("?", r"\?")):
        Space.parse(EmaCrossover, typed)


def test_an_unknown_name_suggests_a_known_one() -> None:
    with pytest.raises(UnknownName) as e:
        Space.parse(EmaCrossover, {"slwo": "20:40:5"})
    assert e.value.suggestion == "slow"


def test_combinations_the_strategy_refuses_are_not_counted() -> None:
    space = Space.parse(EmaCrossover, {"fast": "5:30:1", "slow": "20:200:5"})
    assert space.size == 26 * 37
    refused = sum(1 for fast in range(5, 31) for slow in range(20, 201, 5) if fast >= slow)
    assert len(space.grid()) == space.size - refused
    assert all(int(s["fast"]) < int(s["slow"]) for s in map(space.settings, space.points()))


def test_options_that_contradict_each_other_are_refused_too() -> None:
    space = Space.parse(EmaCrossover, {"product": "MIS,CNC", "side": "both,long"})
    assert {tuple(space.searched(point).values()) for point in space.points()} == {
        ("MIS", "both"),
        ("MIS", "long"),
        ("CNC", "long"),
    }


def test_a_single_value_is_fixed_and_travels_with_every_point() -> None:
    space = Space.parse(EmaCrossover, {"fast": "5:7", "risk": "0.50", "slow": "30"})
    assert space.fixed == (("risk", "0.5"), ("slow", "30"))
    assert space.settings((1,)) == {"fast": "6", "risk": "0.5", "slow": "30"}
    assert space.searched((1,)) == {"fast": "6"}
    assert dict(space.start())["fast"] == "5"


def test_without_a_range_the_strategys_own_parameters_are_searched() -> None:
    space = Space.parse(RsiMeanReversion, {"middle": "50"})
    assert [axis.name for axis in space.axes] == ["period", "oversold", "overbought"]
    assert all(2 <= len(axis.texts) <= 25 for axis in space.axes)
    for axis in space.axes:
        param = RsiMeanReversion.params()[axis.name]
        assert axis.numbers[0] == param.low
        assert axis.numbers[-1] <= param.high


def test_a_space_too_large_to_go_through_is_refused_as_a_grid_only() -> None:
    space = Space.parse(Breakout, {"channel": "2:250:1", "exit_channel": "0:250:1", "stop": "0.5:5:0.5"})
    with pytest.raises(InvalidInput, match="tpe"):
        space.grid()


def test_neighbours_are_one_step_away_and_taken() -> None:
    space = Space.parse(EmaCrossover, {"fast": "18:21:1", "slow": "20:30:5", "side": "both,long"})
    near = space.neighbours((1, 0, 0))  # fast 19, slow 20
    shown = {(s["fast"], s["slow"], s["side"]) for s in map(space.searched, near)}
    assert shown == {
        ("18", "20", "both"),
        ("18", "25", "both"),
        ("19", "25", "both"),
        ("20", "25", "both"),
    }


def test_the_text_of_a_space_parses_to_the_same_space() -> None:
    space = Space.parse(EmaCrossover, {"fast": "5:30:2", "slow": "20,30,60", "side": "*", "risk": "0.5"})
    assert str(space) == "fast=5:29:2 slow=20,30,60 side=both,long,short risk=0.5"
    typed = dict(part.split("=") for part in str(space).split())
    assert Space.parse(EmaCrossover, typed) == space


@given(
    low=st.integers(1, 50),
    length=st.integers(0, 10),
    step=st.integers(1, 9),
    scale=st.sampled_from([10, 100]),
)
def test_every_value_of_a_decimal_range_is_exact_and_inside(
    low: int, length: int, step: int, scale: int
) -> None:
    def text(hundredths: int) -> str:
        return f"{hundredths / scale:.2f}"

    low += 10
    high = low + length * step
    space = Space.parse(EmaCrossover, {"stop": f"{text(low)}:{text(high)}:{text(step)}", "fast": "5,6"})
    texts = next((axis.texts for axis in space.axes if axis.name == "stop"), (dict(space.fixed).get("stop"),))
    assert texts == tuple(OPTIONS["stop"].text((low + i * step) / scale) for i in range(length + 1))
    for value in texts:
        parse_settings(EmaCrossover, {"stop": str(value)})


def test_an_axis_of_uneven_numbers_has_no_step() -> None:
    assert Axis("fast", ("5", "9", "12"), numeric=True, whole=True).step is None
    assert Axis("stop", ("0.1", "0.2", "0.3"), numeric=True).step is not None


class Plain(Strategy):
    def signals(self, bars: Bars) -> Signals:
        return Signals()


class Clocked(Strategy):
    until = Param(780, low=560, high=925, clock=True)

    def signals(self, bars: Bars) -> Signals:
        return Signals(enter_long=bars.minute <= self.until)


@pytest.mark.parametrize(
    ("typed", "texts"),
    [
        ("12:00:13:00:30", ("12:00", "12:30", "13:00")),
        ("720:780:30", ("12:00", "12:30", "13:00")),
        ("13:00,9:30", ("09:30", "13:00")),
        ("12:00:12:03", ("12:00", "12:01", "12:02", "12:03")),
    ],
)
def test_times_of_the_day_are_searched_as_they_are_typed(typed: str, texts: tuple[str, ...]) -> None:
    (axis,) = Space.parse(Clocked, {"until": typed}).axes
    assert axis.texts == texts
    assert axis.numbers == tuple(float(int(t[:2]) * 60 + int(t[3:])) for t in texts)
    assert Space.parse(Clocked, {"until": str(axis).removeprefix("until=")}).axes == (axis,)


def test_a_time_of_the_day_is_one_value_and_bounds_of_one_are_a_row() -> None:
    fixed = Space.parse(Clocked, {"until": "13:00", "stop": "1:2:0.5"})
    assert dict(fixed.fixed) == {"until": "13:00"}
    (open_,) = Space.parse(Clocked, {}).axes
    assert (open_.texts[0], open_.whole) == ("09:20", True)


def test_a_warmup_does_not_count_the_minutes_of_the_day() -> None:
    assert Clocked().warmup == Plain().warmup
