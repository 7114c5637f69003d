"""Texts that must not be kept: one-time codes, login tokens, and the addresses these come in."""

from __future__ import annotations

import re

from handlers.message import Reply
from handlers.typed import typed
from trader.domain.errors import nearest

SECRET_COMMANDS = ("login", "live")
_TOKEN = re.compile(r"(request_token\W{1,3})\w+", re.IGNORECASE)  # "=", or "%3D" inside another address
_CODE = re.compile(r"[0-9]{3}\s?[0-9]{3}")
_BARE_TOKEN = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9]{20,64}")  # 32 so far; no word is that long
_SHORTEST = 6  # a code; whatever is shorter is a word


def is_code(text: str) -> bool:
    """Six digits and nothing else, as an authenticator shows them."""
    return _CODE.fullmatch(text.strip()) is not None


def has_token(text: str) -> bool:
    """An address at which a login ended is somewhere in it."""
    return "request_token" in text.casefold()


def is_pasted_login(text: str) -> bool:
    """The address at which a login ended, or the token in it, sent just as it was copied."""
    bare = text.strip()
    return not bare.startswith("/") and (has_token(bare) or _BARE_TOKEN.fullmatch(bare) is not None)


def holds_secret(text: str, *, known: bool = False) -> bool:
    """Whether what somebody typed must be forgotten once it was used. ``known``: it is a command there is, so
    not a mistyped /login."""
    if is_code(text) or is_pasted_login(text) or has_token(text):
        return True
    words = typed(text)
    if not words.raw:
        return False
    return words.name in SECRET_COMMANDS or (not known and nearest(words.name, SECRET_COMMANDS) is not None)


def for_show(text: str) -> str:
    """What may be shown of a typed line where it stays to be read: in a script's output, in a log."""
    if not holds_secret(text):
        return text
    name = typed(text).name
    return f"/{name} (hidden)" if name else "(hidden)"


def redacted(text: str) -> str:
    """Without the tokens of addresses in it."""
    return _TOKEN.sub(r"\1…", text)


def tells(reply: Reply, raw: str) -> bool:
    """Whether the reply's first line repeats something of what was typed behind a secret command."""
    return any(word in reply.headline for word in (raw, *raw.split()) if len(word) >= _SHORTEST)
