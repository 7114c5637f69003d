"""What the libraries under the bot would log of it."""

from __future__ import annotations

import logging


def quiet_libraries() -> None:
    """httpx logs every URL, token included, at INFO; the library logs its base URL at DEBUG and whole
    payloads when it stumbles. What matters of it the supervisor reports itself, by type name."""
    for name, level in (("httpx", "WARNING"), ("httpcore", "WARNING"), ("telegram", "CRITICAL")):
        logging.getLogger(name).setLevel(level)
