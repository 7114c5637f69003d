"""One desk per data folder, and per ledger kept in a file elsewhere. Two processes trading from the same
records would each think the other's orders were strangers'. A ledger on a server has a lock of its own
(storage/lease.py)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from trader.domain.errors import AlreadyRunning


class FileLock:
    """Held by the kernel for as long as the process lives, so a crash releases it. ``instead``: what of the
    settings this process could be given another one of."""

    def __init__(self, path: Path, locked: Path, instead: str) -> None:
        self._path = path
        self._locked = locked
        self._instead = instead
        self._fd: int | None = None

    @classmethod
    def of_folder(cls, folder: Path) -> Self:
        return cls(folder / "munim.lock", folder, "DATA_DIR")

    @classmethod
    def of_ledger(cls, file: Path) -> Self:
        return cls(file.with_name(f"{file.name}.lock"), file, "DATABASE_URL")

    @property
    def holder(self) -> int | None:
        """The process that has it, as far as can be told without taking it, which would turn away a desk that
        starts in this moment."""
        try:
            process = int(self._path.read_text())
            os.kill(process, 0)
        except (OSError, ValueError):
            return None
        return process

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            other = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise AlreadyRunning(
                f"Another Munim (process {other}) is using {self._locked}."
                f" Stop it, or give this one another {self._instead}."
            ) from None
        os.ftruncate(fd, 0)
        os.write(fd, str(os.getpid()).encode())
        self._fd = fd
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
