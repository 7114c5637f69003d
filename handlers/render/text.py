"""Text measured in columns, and made safe to show."""

from __future__ import annotations

import unicodedata

WIDTH = 34  # what a phone shows of a monospaced line without wrapping
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean(text: str) -> str:
    """Without what cannot be seen: control characters become spaces, zero-width marks, half surrogates
    and the like vanish. Newlines stay."""
    if text.isascii() and text.isprintable():
        return text
    kept = []
    for char in text:
        if char == "\n":
            kept.append(char)
        elif (category := unicodedata.category(char)) in ("Cc", "Zl", "Zp", "Zs"):
            kept.append(" ")
        elif category not in _INVISIBLE:
            kept.append(char)
    return "".join(kept)


def one_line(text: str, length: int) -> str:
    """Cleaned, on one line, at most ``length`` characters."""
    joined = " ".join(clean(text[: 4 * length]).split())
    return joined if len(joined) <= length and len(text) <= 4 * length else joined[: length - 1] + "…"


def columns(text: str) -> int:
    """Columns in a monospaced font: East Asian wide characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(_char_columns(char) for char in text)


def _char_columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, width: int) -> str:
    """At most ``width`` columns, an ellipsis in the last one where something is missing."""
    if columns(text) <= width:
        return text
    kept, used = "", 0
    for char in text:
        size = _char_columns(char)
        if used + size > width - 1:
            break
        kept, used = kept + char, used + size
    return f"{kept}…" if width > 0 else ""


def wrap(text: str, width: int, indent: str = "") -> list[str]:
    """Lines of at most ``width`` columns, broken at spaces, further ones indented. Nothing is lost: a word
    longer than a line is broken."""
    lines: list[str] = []
    line, room = "", width
    for word in text.split():
        while word:
            joined = f"{line} {word}" if line else word
            if columns(joined) <= room:
                line, word = joined, ""
            elif line:
                lines.append(indent * bool(lines) + line)
                line, room = "", max(width - columns(indent), 2)
            else:
                head = _head(word, room)
                lines.append(indent * bool(lines) + head)
                word, room = word[len(head) :], max(width - columns(indent), 2)
    return [*lines, indent * bool(lines) + line] if line or not lines else lines


def _head(word: str, width: int) -> str:
    """As much of ``word`` as fits, one character at least."""
    used = 0
    for n, char in enumerate(word):
        used += _char_columns(char)
        if used > width and n:
            return word[:n]
    return word


def pad(text: str, width: int, align: str = "<") -> str:
    """Filled with spaces to ``width`` columns; ``align`` is < or >."""
    gap = " " * max(width - columns(text), 0)
    return gap + text if align == ">" else text + gap
