"""Rendering: nothing lost, nothing too long, nothing a strict parser refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.message import Block, Line, Pre
from handlers.telegram.render import LONGEST, NOTHING, render
from sandbox.botapi.markup import parse_html, utf16

TEXTS = st.text(st.sampled_from("ab &<>\"'₹📈\n"), max_size=300) | st.text(max_size=50)
BLOCKS = st.lists(
    st.builds(Line, TEXTS, st.booleans()) | st.builds(Pre, TEXTS.map(lambda text: text * 30)), max_size=8
)


@given(BLOCKS, st.sampled_from([300, 1000, LONGEST]))
def test_every_visible_character_arrives_in_order_in_messages_telegram_accepts(
    blocks: list[Block], longest: int
) -> None:
    parts = render(blocks, longest)
    shown = [parse_html(part.html)[0] for part in parts]
    assert shown == [part.plain for part in parts]
    assert all(text.strip() and utf16(text) <= longest for text in shown)
    assert all(utf16(part.html) <= longest for part in parts)
    wanted = "".join("".join(block.text for block in blocks).split())
    assert "".join("".join(shown).split()) == (wanted or "".join(NOTHING.split()))


def test_a_split_falls_between_lines() -> None:
    lines = [f"{n:5} {'x' * 25}" for n in range(400)]
    parts = render([Pre("\n".join(lines))])
    assert [line for part in parts for line in part.plain.split("\n")] == lines
    assert all(part.html.startswith("<pre>") and part.html.endswith("</pre>") for part in parts)


@pytest.mark.parametrize(
    ("blocks", "html"),
    [
        ([Line("P&L", bold=True), Line("−12.5% <5")], "<b>P&amp;L</b>\n−12.5% &lt;5"),
        ([Pre("a  b\nc  d"), Line("after")], "<pre>a  b\nc  d</pre>\nafter"),
        ([Line("a"), Line(""), Line("b")], "a\n\nb"),
        ([], NOTHING),
        ([Line(" ")], NOTHING),
    ],
)
def test_the_markup_is_what_telegram_documents(blocks: list[Block], html: str) -> None:
    assert [part.html for part in render(blocks)] == [html]
