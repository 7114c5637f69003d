"""What a handler may raise, as an answer."""

from __future__ import annotations

import traceback
from pathlib import Path

from handlers.message import Button, Line, Reply
from handlers.render.text import clean
from trader.domain.errors import BrokerUnavailable, InvalidInput, LoginNeeded

LONGEST = 1000  # characters
EXPECTED = (InvalidInput, LoginNeeded, BrokerUnavailable)
"""Errors whose text is a sentence for the reader."""


def answer_to(error: Exception) -> Reply:
    """The sentence of one of EXPECTED, and what to do where it does not say so itself."""
    lines = clean(str(error))[:LONGEST].splitlines()
    match error:
        case LoginNeeded():
            lines = [*lines, "/login begins a new session."] if "/login" not in str(error) else lines
            return Reply(tuple(Line(text) for text in lines), ((Button("Log in", "/login"),),))
        case BrokerUnavailable():
            lines = [f"The broker did not say: {' '.join(lines)}"]
            lines.append("Nothing follows from that; ask again in a moment.")
    return Reply(tuple(Line(text) for text in lines))


def where(error: BaseException) -> str:
    """The kind of an error and the places it came through, without a word of its text."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    return " < ".join((type(error).__name__, *(f"{Path(f.filename).name}:{f.lineno}" for f in frames)))
