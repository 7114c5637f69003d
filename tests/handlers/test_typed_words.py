"""Days, symbols and numbers out of what people type."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.days import day_of, leading_day
from handlers.start import wish
from handlers.symbols import leading_symbol, quoted, symbols_in
from handlers.typed import rupee_amount, typed, whole_number
from trader.domain.errors import InvalidInput, MunimError
from trader.domain.times import day_text

TODAY = date(2026, 11, 23)  # a Monday


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("today", TODAY),
        ("Yesterday", date(2026, 11, 22)),
        ("tomorrow", date(2026, 11, 24)),
        ("2026-12-01", date(2026, 12, 1)),
        ("1 Dec", date(2026, 12, 1)),
        ("1dec", date(2026, 12, 1)),
        ("Dec 1", date(2026, 12, 1)),
        ("1 December 2026", date(2026, 12, 1)),
        ("01/12/2026", date(2026, 12, 1)),
        ("1/12", date(2026, 12, 1)),
        ("Tue 1 Dec 2026", date(2026, 12, 1)),
        ("5 Jan", date(2027, 1, 5)),
        ("20 Nov", date(2026, 11, 20)),
        ("29 Feb 2028", date(2028, 2, 29)),
        ("5 Jan 2026", date(2026, 1, 5)),
        ("RELIANCE", None),
        ("5PAISA", None),
        ("day after", None),
        ("٣ Nov", None),
        ("१ Dec", None),
        ("1 Dec 26", None),  # a year of two digits could as well be the reason that follows
        ("", None),
    ],
)
def test_a_day_as_it_is_typed(text: str, day: date | None) -> None:
    assert day_of(text, TODAY) == day


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("31 Feb", "'31 Feb' is on no calendar"),
        ("2026-13-01", "is on no calendar"),
        ("2026-00-10", "is on no calendar"),
        ("29 Feb", "is on no calendar"),  # no leap year is near
        ("32/12/2026", "is on no calendar"),
        ("1 Dec 9999", "is on no calendar"),
        ("Mon 1 Dec 2026", "1 Dec 2026 is a Tuesday"),
    ],
)
def test_a_day_that_is_none_says_what_was_expected_and_that_nothing_was_done(text: str, part: str) -> None:
    with pytest.raises(InvalidInput) as error:
        day_of(text, TODAY)
    assert part in str(error.value)
    assert "expected a day like 2026-12-01" in str(error.value)
    assert str(error.value).endswith("Nothing was done.")


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_what_our_screens_write_can_be_typed_back(day: date, today: date) -> None:
    for text in (day_text(day), day.isoformat(), f"{day.day}/{day.month}/{day.year}", f"{day:%d %B %Y}"):
        assert day_of(text, today) == day


@given(st.integers(0, 180), st.booleans())
def test_a_day_without_a_year_is_the_nearest(distance: int, ahead: bool) -> None:
    wanted = date.fromordinal(TODAY.toordinal() + (distance if ahead else -distance))
    assert day_of(f"{wanted.day} {wanted:%b}", TODAY) == wanted


@pytest.mark.parametrize(
    ("words", "rest"),
    [
        ("1 Dec municipal elections", "municipal elections"),
        ("Tue 1 Dec 2026 strike", "strike"),
        ("2026-12-01 1 day of mourning", "1 day of mourning"),
        ("1 Dec", ""),
    ],
)
def test_a_day_in_front_of_other_words(words: str, rest: str) -> None:
    assert leading_day(words.split(), TODAY) == (date(2026, 12, 1), tuple(rest.split()))


@given(st.text(max_size=40))
def test_no_text_makes_the_readers_of_days_and_symbols_fail(text: str) -> None:
    readers = (
        lambda: day_of(text, TODAY),
        lambda: leading_day(text.split(), TODAY),
        lambda: symbols_in(text),
        lambda: leading_symbol(text),
        lambda: wish(text),
    )
    for read in readers:
        with suppress(MunimError):
            read()


# -- symbols ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "symbols"),
    [
        ("RELIANCE", ["RELIANCE"]),
        ("reliance,tcs INFY", ["RELIANCE", "TCS", "INFY"]),
        ("RELIANCE , reliance,", ["RELIANCE"]),
        ("NSE:RELIANCE M&M BAJAJ-AUTO 360ONE", ["NSE:RELIANCE", "M&M", "BAJAJ-AUTO", "360ONE"]),
        ("nifty 26dec 26000 ce", ["NIFTY 26DEC 26000 CE"]),
        ("NIFTY 26 DEC 2026 26000 CE TCS", ["NIFTY 26 DEC 2026 26000 CE", "TCS"]),
        ("TCS RELIANCE 26DEC FUT", ["TCS", "RELIANCE 26DEC FUT"]),
        ("TCS, SBIN 800 PE, NIFTY FUT", ["TCS", "SBIN 800 PE", "NIFTY FUT"]),
        ("NIFTY 26000 call", ["NIFTY 26000 CE"]),
        ("NIFTY 2026-12-08 26000.50 PUT", ["NIFTY 2026-12-08 26000.50 PE"]),
        ("NIFTY_26DEC_26000_CE", ["NIFTY 26DEC 26000 CE"]),
        ('"NIFTY 26DEC 26000 CE",TCS', ["NIFTY 26DEC 26000 CE", "TCS"]),
        ("“NIFTY 26DEC 26000 CE” ‘TCS’", ["NIFTY 26DEC 26000 CE", "TCS"]),
        ("TCS, 26000 CE", ["TCS", "26000", "CE"]),  # no contract reaches across a comma
        ("_ , ,", []),
    ],
)
def test_symbols_in_a_line(raw: str, symbols: list[str]) -> None:
    assert symbols_in(raw) == symbols
    assert symbols_in(",".join(quoted(symbol) for symbol in symbols)) == symbols


def test_an_open_quotation_mark_is_asked_about() -> None:
    with pytest.raises(InvalidInput, match="quotation mark is open"):
        symbols_in('"NIFTY 26DEC 26000 CE')


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("RELIANCE 100 1420 MIS", ("RELIANCE", ("100", "1420", "MIS"))),
        ("nifty 8dec 26000 ce 65 120.5", ("NIFTY 8DEC 26000 CE", ("65", "120.5"))),
        ("RELIANCE 1,00,000 1,420.50", ("RELIANCE", ("1,00,000", "1,420.50"))),
        ('"NIFTY 8DEC FUT" 65', ("NIFTY 8DEC FUT", ("65",))),
        ("", ("", ())),
    ],
)
def test_the_symbol_in_front_of_other_words(raw: str, found: tuple[str, tuple[str, ...]]) -> None:
    assert leading_symbol(raw) == found


# -- numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("1,00,000", 100_000), ("007", 7), ("0", None), ("-5", None), ("+5", None), ("1.5", None),
     ("1e3", None), ("1_000", None), ("٣", None), ("３", None), ("", None), ("1,0", None), ("9" * 30, None)],
)  # fmt: skip
def test_whole_numbers(text: str, number: int | None) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize(
    ("text", "amount"),
    [("1420", "1420"), ("₹1,420.50", "1420.50"), ("0.05", "0.05"), ("0", None), ("0.00", None), ("-1", None),
     ("nan", None), ("inf", None), ("1e9", None), ("١٤٢٠", None), ("1420.", None), (".5", None)],
)  # fmt: skip
def test_amounts_of_rupees(text: str, amount: str | None) -> None:
    assert rupee_amount(text) == (Decimal(amount) if amount else None)


@pytest.mark.parametrize("dash", "\u2010\u2011\u2012\u2013\u2212")
def test_a_dash_of_a_keyboard_or_a_page_is_a_hyphen(dash: str) -> None:
    assert typed(f"/quote BAJAJ{dash}AUTO").args == ("BAJAJ-AUTO",)


@given(st.text(st.characters(categories=["Nd", "No", "Nl"]), min_size=1, max_size=6))
def test_a_setting_is_read_in_our_own_digits_or_not_at_all(digits: str) -> None:
    if digits.isascii():
        assert wish(f"ema TCS fast={digits}").settings == {"fast": digits}
    else:
        with pytest.raises(InvalidInput, match="digits 0 to 9"):
            wish(f"ema TCS fast={digits}")


@pytest.mark.parametrize("value", ["1_0", "-1_0.5", "1_000%"])
def test_an_underscore_makes_no_number(value: str) -> None:
    with pytest.raises(InvalidInput, match="digits 0 to 9"):
        wish(f"ema TCS stop={value}")


def test_words_may_have_underscores_and_any_letters() -> None:
    assert wish("ema TCS mode=mean_reversion note=लाभ").settings == {"mode": "mean_reversion", "note": "लाभ"}
