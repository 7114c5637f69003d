"""Replies as Telegram's HTML: escaped at the leaf, in messages short enough to be accepted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from handlers.message import Block, Pre

LONGEST = 3800  # Telegram takes 4096 after parsing; counted here before, in UTF-16 units, tags included
LONGEST_CAPTION = 1000  # 1024
PRE = len("<pre></pre>")
NOTHING = "(nothing to show)"  # Telegram refuses an empty text, and every command is answered


@dataclass(frozen=True, slots=True)
class Part:
    """One message, marked up and, should Telegram not like that, plain."""

    html: str
    plain: str


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of text and the tag around it."""

    text: str
    tag: str  # "", "b" or "pre"

    @property
    def size(self) -> int:
        return _units(escape(self.text, quote=False)) + len("<b></b>\n")


def render(blocks: Sequence[Block], longest: int = LONGEST) -> list[Part]:
    """At least one part. Splits between lines; a ``<pre>`` cut by a split is closed and reopened."""
    parts: list[list[_Row]] = [[]]
    size = 0
    for row in _rows(blocks, longest):
        if parts[-1] and size + row.size + PRE > longest:
            parts.append([])
            size = 0
        opens_table = row.tag == "pre" and (not parts[-1] or parts[-1][-1].tag != "pre")
        parts[-1].append(row)
        size += row.size + (PRE if opens_table else 0)
    made = [_part(rows) for rows in parts if any(row.text.strip() for row in rows)]
    return made or [Part(NOTHING, NOTHING)]


def _rows(blocks: Sequence[Block], longest: int) -> Iterator[_Row]:
    for block in blocks:
        tag = "pre" if isinstance(block, Pre) else "b" if block.bold else ""
        for line in block.text.split("\n"):
            for piece in _pieces(line, longest - 100):
                yield _Row(piece, tag)


def _pieces(line: str, longest: int) -> Iterator[str]:
    """A line that fits no message is cut, at a space where there is one near the end."""
    while _units(escape(line, quote=False)) > longest:
        cut = longest // 6  # an escaped character takes at most five units ("&amp;"), an emoji two
        while cut < len(line) and _units(escape(line[: cut + 50], quote=False)) <= longest:
            cut += 50
        space = line.rfind(" ", max(0, cut - 200), cut)
        cut = space + 1 if space > 0 else cut
        yield line[:cut]
        line = line[cut:]
    yield line


def _part(rows: Sequence[_Row]) -> Part:
    html: list[str] = []
    table: list[str] = []
    for row in rows:
        if row.tag == "pre":
            table.append(escape(row.text, quote=False))
            continue
        html += _closed(table)
        text = escape(row.text, quote=False)
        html.append(f"<b>{text}</b>" if row.tag == "b" and text.strip() else text)
        table = []
    html += _closed(table)
    return Part("\n".join(html), "\n".join(row.text for row in rows))


def _closed(table: Sequence[str]) -> list[str]:
    return ["<pre>" + "\n".join(table) + "</pre>"] if table else []


def _units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)
