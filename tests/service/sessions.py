"""Real sessions of the real process: start it, talk to it, kill it, and read what it left behind."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
QUIET = {
    name: value for name, value in os.environ.items() if not name.startswith(("TELEGRAM_", "RISK_", "PAPER_"))
}


def environment(folder: Path, project: Path = ROOT, **settings: str) -> dict[str, str]:
    return {**QUIET, "DATA_DIR": str(folder), "PYTHONPATH": str(project), **settings}


def run_script(folder: Path, lines: Iterable[str], project: Path = ROOT, **settings: str) -> str:
    """Pipe commands into the process, wait for its end, and return what it printed."""
    done = subprocess.run(
        [sys.executable, str(project / "bot.py")],
        input="\n".join(lines) + "\n",
        env=environment(folder, project, **settings),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def kill_session(folder: Path, lines: Iterable[str], after: float, **settings: str) -> str:
    """Start a session, feed it commands, and SIGKILL it ``after`` seconds from its banner; what it said."""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "bot.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(folder, **settings),
        text=True,
        cwd=folder,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n".join(lines) + "\n")
        process.stdin.flush()
        said = [process.stdout.readline()]
        reader = threading.Thread(target=said.extend, args=(process.stdout,))
        reader.start()
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.wait()
        reader.join()
    return "".join(said)


@dataclass(frozen=True)
class Ledger:
    """The SQLite file as any other program sees it."""

    path: Path

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            return connection.execute(query, values).fetchall()

    def tables(self) -> Iterator[str]:
        for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
            yield str(name)
