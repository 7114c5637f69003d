"""Telegram's HTML: the text it shows and the entities in it, or the 400 a malformed one earns.

Tags and rules: https://core.telegram.org/bots/api#html-style. Offsets count UTF-16
code units, as Telegram's do.
"""

from __future__ import annotations

import html
import re

from sandbox.botapi.errors import Json, bad_request

KINDS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "code": "code", "pre": "pre",
    "a": "text_link", "blockquote": "blockquote", "tg-spoiler": "spoiler", "span": "spoiler",
    "tg-time": "date_time", "tg-emoji": "custom_emoji",
}  # fmt: skip
TOKEN = re.compile(r"<(?P<close>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9-]*)?(?P<rest>[^<>]*)(?P<end>>?)|[^<]+")
ENTITY = re.compile(r"&(lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);")  # the only ones Telegram knows


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def parse_html(source: str) -> tuple[str, list[Json]]:
    """(visible text, entities). Raises ApiError 400 for what Telegram can't parse."""
    text, entities, opened = "", [], list[tuple[str, int, str]]()
    for token in TOKEN.finditer(source):
        if not token[0].startswith("<"):
            text += ENTITY.sub(lambda found: html.unescape(found[0]), token[0])
            continue
        tag, where = (token["tag"] or "").lower(), len(source[: token.start()].encode())
        if tag not in KINDS or not token["end"]:
            raise _unparsable(f'Unsupported start tag "{tag}" at byte offset {where}')
        if not token["close"]:
            opened.append((tag, utf16(text), token["rest"]))
            continue
        if not opened:
            raise _unparsable(f"Unexpected end tag at byte offset {where}")
        start_tag, start, rest = opened.pop()
        if start_tag != tag:
            raise _unparsable(
                f'Unmatched end tag at byte offset {where}, expected "</{start_tag}>", found "</{tag}>"'
            )
        if (length := utf16(text) - start) > 0:
            link = re.search(r'href="([^"]*)"', rest)
            extra = {"url": html.unescape(link[1])} if link else {}
            entities.append({"type": KINDS[tag], "offset": start, "length": length} | extra)
    if opened:
        raise _unparsable(f'Can\'t find end tag corresponding to start tag "{opened[-1][0]}"')
    return text, sorted(entities, key=lambda found: (found["offset"], -found["length"]))


def _unparsable(why: str) -> Exception:
    return bad_request(f"can't parse entities: {why}")


def command_entities(text: str) -> list[Json]:
    """What Telegram marks in a person's message so that bots see the command."""
    found = re.match(r"/[A-Za-z0-9_]{1,32}(@\w+)?", text)
    return [{"type": "bot_command", "offset": 0, "length": len(found[0])}] if found else []
