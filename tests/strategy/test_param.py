from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.domain.errors import InvalidInput
from trader.strategy import Param

WHOLE = Param(9, low=2, high=50)
NUMBER = Param(1.5, low=0, high=20)
FREE = Param(0.0)
SHARE = Param(1.0, low=0.1, high=20.0, help="% from entry")
BANDS = Param(2.0, low=0.5, high=4.0, help="standard deviations to the bands")
SWITCH = Param(True)
UNTIL = Param(780, low=560, high=925, clock=True)
PRODUCT = Param("MIS", choices=("MIS", "CNC"))


@pytest.mark.parametrize(
    ("param", "text", "value"),
    [
        (WHOLE, "9", 9),
        (WHOLE, " 50 ", 50),
        (WHOLE, "2", 2),
        (NUMBER, "2", 2.0),
        (NUMBER, "1.25", 1.25),
        (NUMBER, "1.5%", 1.5),
        (NUMBER, "1.5 %", 1.5),
        (SHARE, "5%", 5.0),
        (BANDS, "2", 2.0),
        (FREE, "-3e-7", -3e-7),
        (UNTIL, "13:00", 780),
        (UNTIL, "9:20", 560),
        (UNTIL, "780", 780),
        (SWITCH, "yes", True),
        (SWITCH, "OFF", False),
        (PRODUCT, "mis", "MIS"),
        (PRODUCT, "CNC", "CNC"),
    ],
)
def test_a_text_becomes_a_value_of_the_defaults_type(param, text, value):
    parsed = param.parse(text, name="it")
    assert parsed == value
    assert type(parsed) is type(param.default)


@pytest.mark.parametrize(
    ("param", "text", "sentence"),
    [
        (WHOLE, "1", "it is 1: expected 2 to 50"),
        (WHOLE, "51", "it is 51: expected 2 to 50"),
        (WHOLE, "9.0", "it is 9.0: expected a whole number, 2 to 50"),
        (WHOLE, "many", "it is many: expected a whole number, 2 to 50"),
        (WHOLE, "١٢", "it is ١٢: expected a whole number, 2 to 50"),
        (NUMBER, "1_0", "it is 1_0: expected a number, 0 to 20"),
        (WHOLE, "", "it is '': expected a whole number, 2 to 50"),
        (NUMBER, "20.01", "it is 20.01: expected 0 to 20"),
        (NUMBER, "nan", "it is nan: expected a number, 0 to 20"),
        (FREE, "inf", "it is inf: expected a number"),
        (WHOLE, "9%", "it is 9%: expected a whole number, 2 to 50"),
        (BANDS, "2%", "it is 2%: expected a number without %, 0.5 to 4"),
        (UNTIL, "9:15", "it is 09:15: expected 09:20 to 15:25"),
        (UNTIL, "13:60", "it is 13:60: expected a time like 13:00, 09:20 to 15:25"),
        (UNTIL, "1 pm", "it is 1 pm: expected a time like 13:00, 09:20 to 15:25"),
        (UNTIL, "9999", "it is 9999: expected a time like 13:00, 09:20 to 15:25"),
        (SWITCH, "maybe", "it is maybe: expected yes or no"),
        (PRODUCT, "CNV", "it is CNV: expected MIS or CNC. Did you mean CNC?"),
        (PRODUCT, "zzz", "it is zzz: expected MIS or CNC"),
    ],
)
def test_what_cannot_be_meant_is_answered_with_a_sentence(param, text, sentence):
    with pytest.raises(InvalidInput) as caught:
        param.parse(text, name="it")
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("param", "value", "kept"),
    [(WHOLE, np.int64(7), 7), (NUMBER, 7, 7.0), (NUMBER, np.float64(0.5), 0.5), (SWITCH, False, False)],
)
def test_values_given_in_code_come_out_in_the_parameters_own_type(param, value, kept):
    checked = param.check(value, name="it")
    assert checked == kept
    assert type(checked) is type(param.default)


@pytest.mark.parametrize(
    ("param", "value"),
    [(WHOLE, 7.0), (WHOLE, True), (WHOLE, "7"), (NUMBER, True), (NUMBER, "1"), (SWITCH, 1), (PRODUCT, 3)],
)
def test_values_of_another_type_are_refused(param, value):
    with pytest.raises(InvalidInput, match="it is"):
        param.check(value, name="it")


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.booleans()))
def test_the_canonical_text_of_any_value_parses_back_to_it(value):
    param = Param(value)
    parsed = param.parse(param.text(value), name="it")
    assert parsed == value
    assert type(parsed) is type(value)
    assert param.text(parsed) == param.text(value)


@pytest.mark.parametrize(
    ("param", "span"),
    [
        (WHOLE, "2 to 50"),
        (NUMBER, "0 to 20"),
        (Param(3, low=1), "at least 1"),
        (Param(3.0, high=4), "at most 4"),
        (Param(3), "any whole number"),
        (FREE, "any number"),
        (SWITCH, "yes or no"),
        (Param("x"), "any"),
        (PRODUCT, "MIS or CNC"),
        (Param("a", choices=("a", "b", "c")), "a, b or c"),
    ],
)
def test_the_span_says_what_is_allowed(param, span):
    assert param.span == span


@pytest.mark.parametrize(
    "make",
    [
        lambda: Param(1, low=2, high=50),
        lambda: Param("x", choices=("a", "b")),
        lambda: Param(float("nan")),
        lambda: Param([1]),
    ],
)
def test_a_definition_that_contradicts_itself_is_an_error_at_import(make):
    with pytest.raises(ValueError, match="default"):
        make()
