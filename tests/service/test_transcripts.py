"""What the README shows is what the program prints."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.service.sessions import ROOT, Ledger, run_script
from tests.service.transcripts import FIRST_SESSION, REPLAY, Shown, shape
from trader.strategy.catalogue import Catalogue


@pytest.mark.parametrize("one", [FIRST_SESSION, REPLAY], ids=lambda one: one.page)
def test_the_transcript_shown_has_the_shape_of_a_new_one(one: Shown, tmp_path: Path) -> None:
    fresh = one.run(tmp_path).replace("flat out", "×60")
    assert shape(fresh) == shape(one.shown().replace("flat out", "×60"))


def test_the_first_session_gets_a_newcomer_to_a_filled_order_and_back_to_flat(tmp_path: Path) -> None:
    transcript = FIRST_SESSION.run(tmp_path)
    assert "· entry" in transcript
    assert "FLAT verified" in transcript
    ledger = Ledger(tmp_path / "munim.db")
    assert ledger.rows("SELECT count(*) FROM fills")[0][0] != 0
    assert ledger.rows("SELECT count(*) FROM positions WHERE quantity != 0") == [(0,)]


def test_tables_fit_a_phone() -> None:
    wide = [
        line
        for line in FIRST_SESSION.shown().splitlines()
        if len(line) > 34 and not line.startswith((">", "│", "┌")) and "  " in line.strip()
    ]
    assert wide == []


def test_a_strategy_file_dropped_in_is_listed_and_runs(tmp_path: Path) -> None:
    """The ten lines of the docs, dropped into a copy of the project; nothing else changes."""
    project, data = tmp_path / "project", tmp_path / "data"
    project.mkdir()
    data.mkdir()
    for part in ("trader", "handlers", "storage"):
        (project / part).symlink_to(ROOT / part)
    shutil.copytree(ROOT / "strategies", project / "strategies")
    shutil.copy(ROOT / "bot.py", project)
    example = (ROOT / "docs" / "strategies.md").read_text().split("```python\n")[1].split("```")[0]
    before = set(Catalogue.discover(project / "strategies").names())
    (project / "strategies" / "dropped.py").write_text(example)
    (name,) = set(Catalogue.discover(project / "strategies").names()) - before
    said = run_script(
        data,
        ["/strategies", f"/start_strategy {name} RELIANCE 1m", "/wait 09:30", "/status"],
        project=project,
        REPLAY_SPEED="max",
        CLOCK_START="2026-11-23T09:20",
    )
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    assert name in said.split("> /start_strategy")[0]
    assert f"Running {name}" in said
