"""Everything fits 34 columns, and no figure is ever shortened."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from handlers.message import Button, Line, Pre, Reply, Style, say
from handlers.render.figures import ago, bar, money_short, share, speed_text
from handlers.render.table import ends, pairs, table
from handlers.render.terminal import plain, plain_alert, rich_text
from handlers.render.text import WIDTH, clean, columns, cut, one_line, wrap

words = st.text(max_size=60)
numbers = st.decimals(allow_nan=False, allow_infinity=False, places=2).map(lambda d: f"{d:,.2f}")
rows = st.lists(st.tuples(words, words, numbers, numbers), min_size=1, max_size=6)


@given(rows, st.lists(st.lists(words, max_size=3), max_size=6))
def test_a_table_is_never_wider_than_a_phone_and_keeps_every_digit(
    cells: list[tuple[str, str, str, str]], details: list[list[str]]
) -> None:
    shown = table(cells, ("Symbol", "Side", "Qty", "Net ₹"), "<<>>", details=details)
    assert all(columns(line) <= WIDTH for line in shown.split("\n"))
    joined = "".join(shown.split())
    for row in cells:
        assert row[2] in joined
        assert row[3] in joined


@given(st.lists(st.tuples(words, words), max_size=8))
def test_pairs_are_never_wider_than_a_phone(found: list[tuple[str, str]]) -> None:
    assert all(columns(line) <= WIDTH for line in pairs(found).split("\n"))


@given(words, words)
def test_two_ends_fit_one_line(left: str, right: str) -> None:
    assert columns(ends(" ".join(left.split()), " ".join(right.split()))) <= WIDTH


@given(st.text(), st.integers(2, 50))
def test_cutting_and_wrapping_keep_the_width_and_wrapping_keeps_the_text(text: str, width: int) -> None:
    assert columns(cut(text, width)) <= width
    lines = wrap(text, width)
    assert all(columns(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.text())
def test_cleaned_text_can_be_stored_and_hides_nothing(text: str) -> None:
    shown = clean(text)
    shown.encode()
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert clean(shown) == shown


@given(st.text(max_size=5000), st.integers(5, 100))
def test_one_line_is_one_line(text: str, length: int) -> None:
    assert len(one_line(text, length)) <= length
    assert "\n" not in one_line(text, length)


def test_ragged_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="Expected 2 cells"):
        table([("a",)], ("A", "B"), "<>")


def test_words_give_way_before_numbers_do() -> None:
    shown = table([("A-VERY-LONG-TRADING-SYMBOL", "+1,23,45,678.90")], ("Symbol", "P&L"), "<>")
    assert shown.splitlines()[1] == "A-VERY-LONG-TRADI… +1,23,45,678.90"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "₹0"),
        ("0.4", "₹0"),
        ("-0.4", "₹0"),
        ("949.6", "₹950"),
        ("99999.4", "₹99,999"),
        ("99999.6", "₹1L"),
        ("123456", "₹1.23L"),
        ("-123456", "-₹1.23L"),
        ("9999999", "₹1Cr"),
        ("9994999", "₹99.95L"),
        ("34000000", "₹3.4Cr"),
        ("12345678901", "₹1,234.57Cr"),
    ],
)
def test_short_money(amount: str, shown: str) -> None:
    assert money_short(Decimal(amount)) == shown


@given(st.decimals(-(10**12), 10**12, places=2))
def test_short_money_is_short_and_keeps_its_sign(amount: Decimal) -> None:
    shown = money_short(amount)
    assert len(shown) <= 13
    assert shown.startswith("-") is (amount <= Decimal("-0.5"))


@pytest.mark.parametrize(
    ("used", "limit", "filled"),
    [("0", "10", 0), ("-5", "10", 0), ("0.9", "10", 0), ("5", "10", 5), ("9.99", "10", 9), ("10", "10", 10),
     ("99", "10", 10), ("0", "0", 0), ("1", "0", 10)],
)  # fmt: skip
def test_a_bar_is_full_only_at_its_limit(used: str, limit: str, filled: int) -> None:
    assert bar(Decimal(used), Decimal(limit)) == "█" * filled + "░" * (10 - filled)
    assert 0 <= share(Decimal(used), Decimal(limit)) <= 1


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-9, "0 s"), (59.9, "59 s"), (60, "1 min"), (7199, "1 h"), (90_000, "1 d")]
)
def test_ages(seconds: float, shown: str) -> None:
    assert ago(timedelta(seconds=seconds)) == shown


@pytest.mark.parametrize(("speed", "shown"), [(1.0, ""), (60.0, "×60"), (0.5, "×0.5"), (None, "flat out")])
def test_speeds(speed: float | None, shown: str) -> None:
    assert speed_text(speed) == shown


# -- on a terminal ------------------------------------------------------------------------------------

MENU = Reply(
    (Line("Stop [bold]it[/]?", bold=True), Pre("a  1")),
    ((Button("Close", "/x close", Style.DANGER),), (Button("Keep", "/x keep"),)),
)


def test_a_reply_as_plain_text() -> None:
    assert plain(MENU) == "Stop [bold]it[/]?\na  1\n1) Close  2) Keep"


def test_rich_shows_the_same_words_and_takes_nothing_quoted_for_markup() -> None:
    assert rich_text(MENU).plain == plain(MENU)
    assert rich_text(MENU, alert=True).plain == plain_alert(MENU)


def test_an_alert_shows_what_to_type_since_numbers_belong_to_the_last_answer() -> None:
    assert plain_alert(MENU).splitlines() == [
        "┌ Stop [bold]it[/]?",
        "│ a  1",
        "│ Type /x close or /x keep",
    ]


def test_an_alert_goes_on_behind_its_rail_where_the_terminal_is_too_narrow_for_it() -> None:
    row, address = "INFY   +66    +72.60 wide   34 col", "https://kite.example/connect/login?api_key=K&v=3"
    alert = Reply((Line("2 fills"), Pre(f"{row}\n  indented rows of a table keep to it"), Line(address)))
    shown = rich_text(alert, alert=True, console=Console(width=34)).plain.splitlines()
    assert shown == [
        "┌ 2 fills",
        "│ INFY   +66    +72.60 wide   34",
        "│ col",
        "│   indented rows of a table keep",
        "│ to it",
        f"│ {address}",  # in one piece, to be copied
    ]
    assert rich_text(alert, alert=True, console=Console(width=80)).plain == plain_alert(alert)


def test_what_a_broker_writes_cannot_drive_the_terminal() -> None:
    assert "\x1b" not in plain(say("\x1b[2J\x1b]0;owned\x07 rejected"))
    assert "\x1b" not in rich_text(say("\x1b[2J rejected")).plain


def test_a_picture_is_mentioned_where_it_cannot_be_shown() -> None:
    assert "picture" in plain(Reply((Line("P&L"),), picture=b"PNG"))
