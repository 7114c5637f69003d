"""Logging: one line to standard error or a file, and never a secret in it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from pathlib import Path

# A bot token wherever it turns up (httpx writes whole URLs), and Kite's "token key:secret".
_PATTERNS = (
    (re.compile(r"\d{6,}:[\w-]{30,}"), "<bot token>"),
    (re.compile(r"(?i)(authorization: token )\S+"), r"\1<secret>"),
    (re.compile(r"(?i)((?:access_token|api_secret|request_token|password|enctoken)=)[^\s&]+"), r"\1<secret>"),
)


class Redaction(logging.Formatter):
    """Formats like any other, then takes out what looks like a secret and every known one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s %(message)s")
        self._secrets = sorted((s for s in secrets if len(s) >= 6), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, "<secret>")
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text


def configure(folder: Path | None, secrets: Iterable[str]) -> None:
    """Log to ``folder``/munim.log, or to standard error without one. The terminal belongs to the chat."""
    handler: logging.Handler
    if folder is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        from logging.handlers import RotatingFileHandler  # only a process that logs to a file needs it

        folder.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(folder / "munim.log", maxBytes=5_000_000, backupCount=5)
    handler.setFormatter(Redaction(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "httpcore", "telegram", "alembic", "apscheduler", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
