"""Bot tokens never reach a log."""

from __future__ import annotations

import logging
import re

TOKEN = re.compile(r"\d{6,}:[\w-]{30,}")  # as @BotFather makes them


def redact(text: str) -> str:
    return TOKEN.sub("<token>", text)


class TokenRedaction(logging.Filter):
    """For the root handler: rewrites messages and tracebacks that carry a token."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        return True


def quiet_libraries() -> None:
    """httpx logs every URL, token included, at INFO; the library logs its base URL at DEBUG and whole
    payloads when it stumbles. What matters of it the supervisor reports itself, by type name."""
    for name, level in (("httpx", "WARNING"), ("httpcore", "WARNING"), ("telegram", "CRITICAL")):
        logging.getLogger(name).setLevel(level)
