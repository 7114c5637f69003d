"""What a check of a strategy found, in words for chat and shell."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

CHECKED: Final = "Checked: sees no future, decides the same every time."
# It cannot look ahead, and may keep a memory.
CHECKED_ON_TICKS: Final = "Checked: its code runs on ticks. Candles cannot test it."
# What a result of a strategy that the desk refuses is called, wherever it is shown.
NOT_BELIEVED: Final = "Not to be believed"


class Grade(IntEnum):
    OK = 0
    WARN = 1  # it may be started; its author should know
    FAIL = 2  # it must not be started

    @property
    def mark(self) -> str:
        return ("✓", "!", "✗")[self]


@dataclass(frozen=True, slots=True)
class Finding:
    grade: Grade
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """``findings`` in the order in which they were looked at; ``seconds`` is what looking took."""

    strategy: str
    findings: Sequence[Finding]
    seconds: float = 0.0

    @property
    def grade(self) -> Grade:
        return max((finding.grade for finding in self.findings), default=Grade.OK)

    def of(self, grade: Grade) -> list[Finding]:
        return [finding for finding in self.findings if finding.grade is grade]

    @property
    def sentence(self) -> str:
        """The worst of it in one line."""
        if self.grade is Grade.OK:
            on_ticks = all(finding.title not in ("Future", "Memory") for finding in self.findings)
            return CHECKED_ON_TICKS if on_ticks else CHECKED
        return " ".join(f"{f.title}: {f.text}" for f in self.of(self.grade))

    def lines(self, width: int = 34) -> list[str]:
        """Every finding, wrapped to ``width`` columns, behind its mark."""
        wrapped: list[str] = []
        for finding in self.findings:
            wrapped += textwrap.wrap(
                f"{finding.grade.mark} {finding.title}: {finding.text}", width, subsequent_indent="  "
            )
        return wrapped


def disbelief(sentences: Sequence[str]) -> list[str]:
    """Of a result's warnings those that make its figures worthless: they are said before any figure."""
    return [sentence for sentence in sentences if sentence.startswith(NOT_BELIEVED)]
