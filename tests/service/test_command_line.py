"""The command line itself: its help, words that mean nothing, folders that cannot be written."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bot
from storage.engines import sqlite_url
from storage.ledger import SqlLedger
from tests.service.shells import STRATEGIES
from trader.service import shell


def ran(
    folder: Path, *words: str, out: int = subprocess.PIPE, **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(STRATEGIES.parent / "bot.py"), *words],
        stdout=out, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
        env={"DATA_DIR": str(folder), "PATH": "/usr/bin:/bin", "HOME": str(folder.parent)} | more,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["run", "doctor", "rehearse", "download", "export", *shell.COMMANDS])
def test_every_command_has_help_of_its_own(command: str, capsys) -> None:
    assert bot.main([command, "--help"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Usage: bot.py ")
    assert command in told.partition("\n")[0]
    assert max(map(len, told.split("\n\n", 1)[1].split("\n"))) <= 105
    assert bot.main(["--help"]) == 0
    assert f"\n  {command} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "usage"), [("help", ""), ("-h", ""), ("help check", " check"), ("-h export", " export")]
)
def test_help_is_asked_for_in_other_ways_too(line: str, usage: str, capsys) -> None:
    assert bot.main(line.split()) == 0
    assert capsys.readouterr().out.startswith(f"Usage: bot.py{usage} ")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("bactest ema_crossover", "No command is called 'bactest'. Did you mean backtest?"),
        ("doctor now", "Expected nothing after doctor, was 'now'."),
        ("--versoin", "Expected nothing after run, was '--versoin'."),
        ("backtest ema_crossover INFY --fast 9", "Expected settings as in fast=9, was '--fast'."),
    ],
)
def test_words_that_mean_nothing_are_not_passed_over(line: str, says: str, capsys) -> None:
    assert bot.main(line.split()) == 2
    assert capsys.readouterr().err.startswith(says)


def test_a_data_folder_that_cannot_be_written_is_not_in_the_way_of_what_only_reads(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()  # where their folder would be made
    for words in (("check", "ema_crossover"), ("backtests",)):
        done = ran(tmp_path, *words)
        assert (done.returncode, done.stderr) == (0, "")
    done = ran(tmp_path, "backtest", "ema_crossover", "INFY")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Is DATA_DIR right?" in done.stderr


def test_who_only_looks_makes_no_folder_where_one_was_misspelt(tmp_path: Path) -> None:
    for words in (("backtests",), ("export", "trades"), ("check", "ema_crossover"), ("doctor",)):
        ran(tmp_path / "misspelt", *words)
    assert not (tmp_path / "misspelt").exists()


def test_a_file_in_the_data_folder_s_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = ran(tmp_path / "file", "backtests")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Is DATA_DIR right?" in done.stderr


def test_a_download_that_cannot_be_meant_makes_no_records(tmp_path: Path) -> None:
    for words in (("RELIANCE",), ("RELIANCE", "5m", "2026-01-01", "2026-11-20")):
        assert ran(tmp_path, "download", *words).returncode == 2
    assert not list(tmp_path.glob("*.db*"))


async def an_empty_ledger(path: Path) -> None:
    ledger = SqlLedger(sqlite_url(path))
    await ledger.open()
    await ledger.close()


SAMPLE = f"data={STRATEGIES.parent / 'docs' / 'sample'}"


@pytest.mark.parametrize(
    "line", ["export --help", "export trades 2026-04-01..2027-03-31", "check breakout",
             f"backtest breakout RELIANCE 5m {SAMPLE}"],
)  # fmt: skip
def test_whoever_has_read_enough_of_an_answer_gets_no_trace(tmp_path: Path, line: str) -> None:
    if line.startswith("export trades"):
        asyncio.run(an_empty_ledger(tmp_path / "munim.db"))
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = ran(tmp_path, *line.split(), out=writing)
    finally:
        os.close(writing)
    assert done.returncode == 141
    assert "Error" not in done.stderr


def test_ctrl_c_while_modules_are_loaded_ends_without_a_trace(tmp_path: Path) -> None:
    interrupted = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nraise ImportError('went on')\n"
    (tmp_path / "argparse.py").write_text(interrupted)  # found before the real one
    done = ran(tmp_path / "data", "doctor", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
