"""What a test came to, in words and files: for chat, for the shell, and as JSON between processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

# (done, total, what is being done); total 0 where nobody knows.
Tell = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """``rows`` and ``best`` are names and values of at most 34 columns together; ``pictures`` are PNG files,
    the one for chat first. ``stopped``: why it ended early, else ""."""

    id: str
    title: str
    about: str
    rows: Sequence[tuple[str, str]]
    notes: Sequence[str]
    folder: str
    pictures: Sequence[str]
    best: Sequence[tuple[str, str]] = ()
    trades: int = 0
    bars: int = 0
    seconds: float = 0.0
    stopped: str = ""

    def written(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Outcome:
        rows = {name: [tuple(row) for row in written[name]] for name in ("rows", "best")}
        return cls(**{**written, **rows})
