"""One-time codes as authenticator apps make them: RFC 6238 with SHA-1, six digits, 30 seconds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from datetime import datetime, timedelta

STEP = 30
DIGITS = 6


def code_at(secret: str, at: datetime) -> str:
    """``secret`` in base32, spaces and missing padding allowed."""
    return _code(_key(secret), int(at.timestamp()) // STEP)


def fits(secret: str, code: str, at: datetime, *, drift: int = 1) -> int | None:
    """The step the code belongs to, up to ``drift`` steps to either side; None when it is wrong."""
    for steps in range(-drift, drift + 1):
        moment = at + timedelta(seconds=STEP * steps)
        if hmac.compare_digest(code_at(secret, moment), code):
            return int(moment.timestamp()) // STEP
    return None


def _key(secret: str) -> bytes:
    text = secret.replace(" ", "").upper()
    return base64.b32decode(text + "=" * (-len(text) % 8))


def _code(key: bytes, step: int) -> str:
    digest = hmac.new(key, struct.pack(">Q", step), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"
