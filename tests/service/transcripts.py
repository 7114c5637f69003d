"""The transcripts in README.md and docs/replay.md, made by the program they show.

``python -m tests.service.transcripts`` writes them anew.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.service.sessions import ROOT, run_script


@dataclass(frozen=True)
class Shown:
    """A script, the page that shows its transcript, and the settings it is run with."""

    script: str
    page: str
    settings: tuple[tuple[str, str], ...]

    def run(self, folder: Path) -> str:
        lines = (ROOT / self.script).read_text().splitlines()
        return run_script(folder, lines, **dict(self.settings)).strip()

    def shown(self) -> str:
        text = (ROOT / self.page).read_text()
        found = re.search(self._frame(r"\n```\n(.*?)\n```\n"), text, re.DOTALL)
        assert found is not None, f"{self.page} shows no transcript of {self.script}"
        return found.group(1)

    def write(self, transcript: str) -> None:
        page = ROOT / self.page
        frame = self._frame("").split("\0")
        text = page.read_text()
        head, rest = text.split(frame[0], 1)
        tail = rest.split(frame[1], 1)[1]
        page.write_text(f"{head}{frame[0]}\n```\n{transcript}\n```\n{frame[1]}{tail}")

    def _frame(self, inside: str) -> str:
        begin, end = f"<!-- transcript: {self.script} -->", "<!-- end of transcript -->"
        return f"{re.escape(begin)}{inside}{re.escape(end)}" if inside else f"{begin}\0{end}"


FIRST_SESSION = Shown(
    "docs/first_session.txt", "README.md", (("REPLAY_SPEED", "max"), ("CLOCK_START", "2026-11-23T09:20"))
)
REPLAY = Shown(
    "docs/replay_session.txt",
    "docs/replay.md",
    (
        ("MARKET", "replay"),
        ("REPLAY_PATH", f"{ROOT / 'docs' / 'sample'}?day=2026-11-20"),
        ("REPLAY_SPEED", "max"),
    ),
)


def shape(transcript: str) -> list[str]:
    """What a transcript looks like with every number, sign and mask of digits taken out: the words and the
    order of things."""
    lines = (re.sub(r"[+-]?₹?\d[\d,.:]*", "#", line) for line in transcript.splitlines())
    return [re.sub(r"\s+", " ", line).strip() for line in lines]


if __name__ == "__main__":
    for one in (FIRST_SESSION, REPLAY):
        with tempfile.TemporaryDirectory() as folder:
            transcript = one.run(Path(folder))
            if one is FIRST_SESSION:
                transcript = transcript.replace("flat out", "×60")  # as make run shows it
            one.write(transcript)
