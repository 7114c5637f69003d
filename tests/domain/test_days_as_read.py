"""Days as people read them: one form, whatever says them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from trader.domain.times import date_short, date_text, day_short, day_text

ROOT = Path(__file__).resolve().parents[2]


def test_a_day_has_no_zero_before_it() -> None:
    day = date(2026, 11, 6)
    assert (date_short(day), date_text(day)) == ("6 Nov", "6 Nov 2026")
    assert (day_short(day), day_text(day)) == ("Fri 6 Nov", "Fri 6 Nov 2026")


def test_of_a_moment_it_is_the_exchanges_day() -> None:
    late = datetime(2026, 11, 5, 20, 0, tzinfo=UTC)
    assert (date_short(late), date_text(late)) == ("6 Nov", "6 Nov 2026")
    assert (day_short(late), day_text(late)) == ("Fri 6 Nov", "Fri 6 Nov 2026")


def test_nobody_writes_days_in_a_form_of_their_own() -> None:
    written = [
        path.name
        for folder in ("trader", "handlers", "storage")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "%d %b" in path.read_text()
    ]
    assert written == ["picture.py"], "a scale; its zeros are taken away there"
