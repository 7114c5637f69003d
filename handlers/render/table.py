"""Tables that fit a phone. Words may be shortened, numbers never: where the columns do not fit, each row
is written out over several lines instead."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.render.text import WIDTH, columns, cut, pad, wrap

_SHORTEST = 6  # a name cut below this is no name any more


def table(
    rows: Sequence[Sequence[str]],
    headers: Sequence[str],
    aligns: str,
    width: int = WIDTH,
    details: Sequence[Sequence[str]] = (),
    *,
    whole: bool = False,
) -> str:
    """Lines of at most ``width`` columns. ``aligns`` has one of < and > per column; > marks numbers.

    ``details[n]`` are lines to stand, indented, under row n. ``whole``: what a row begins with is not cut but
    gets a line of its own where it is too long: a contract without its strike is another one's name, a second
    strategy without its number the first one's. Raises ValueError on ragged rows.
    """
    if any(len(row) != len(headers) for row in rows) or len(aligns) != len(headers):
        raise ValueError(f"Expected {len(headers)} cells a row and as many aligns, was {rows!r}, {aligns!r}")
    cells = [[" ".join(cell.split()) for cell in row] for row in rows]
    widths = _widths([list(headers), *cells], aligns, width)
    lines = [] if widths is None else [_line(headers, widths, aligns)]
    for n, row in enumerate(cells):
        if widths is not None and whole and columns(row[0]) > widths[0]:
            lines += wrap(row[0], width)
            row = ["", *row[1:]]
        lines += _stacked(row, headers, width) if widths is None else [_line(row, widths, aligns)]
        for detail in details[n] if n < len(details) else ():
            lines += [f" {line}" for line in wrap(detail, width - 1)]
    return "\n".join(lines)


def _widths(lines: Sequence[Sequence[str]], aligns: str, width: int) -> list[int] | None:
    """Column widths that fit, the widest words shortened first; None when that does not help."""
    widths = [max(columns(line[n]) for line in lines) for n in range(len(aligns))]
    over = sum(widths) + len(widths) - 1 - width
    while over > 0:
        words = [n for n, align in enumerate(aligns) if align == "<" and widths[n] > _SHORTEST]
        if not words:
            return None
        widths[max(words, key=lambda n: widths[n])] -= 1
        over -= 1
    return widths


def _line(cells: Sequence[str], widths: Sequence[int], aligns: str) -> str:
    shown = (pad(cut(c, w), w, a) for c, w, a in zip(cells, widths, aligns, strict=True))
    return " ".join(shown).rstrip()


def _stacked(row: Sequence[str], headers: Sequence[str], width: int) -> list[str]:
    lines = wrap(row[0], width) if row else []
    for header, cell in zip(headers[1:], row[1:], strict=True):
        lines += [f" {line}" for line in wrap(f"{header} {cell}", width - 1, indent=" ")]
    return lines


def pairs(rows: Sequence[tuple[str, str]], width: int = WIDTH) -> str:
    """Names on the left, values in a column beside them; long values go on below, indented alike."""
    left = min(max((columns(name) for name, _ in rows), default=0), width // 2)
    lines: list[str] = []
    for name, value in rows:
        first, *rest = wrap(value, width - left - 1)
        lines.append(f"{pad(cut(name, left), left)} {first}".rstrip())
        lines += [" " * (left + 1) + line for line in rest]
    return "\n".join(lines)


def ends(left: str, right: str, width: int = WIDTH) -> str:
    """One line with something at either end; the left gives way, the right (a number) does not."""
    room = max(width - columns(right) - 1, 0)
    return f"{pad(cut(left, room), room)} {right}" if room else cut(right, width)
