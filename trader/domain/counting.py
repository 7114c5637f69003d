"""How many of something, in words."""

from __future__ import annotations


def counted(number: int, noun: str, many: str = "") -> str:
    """``1 position``, ``2 positions``; ``many`` where it is not the noun with an s."""
    return f"{number} {noun if number == 1 else many or f'{noun}s'}"
