"""docs/chat.md shows what the chat really looks like."""

from __future__ import annotations

from chat_page import PAGE, parts, rewritten


async def test_the_page_shows_the_commands_and_screens_as_they_are() -> None:
    page = PAGE.read_text(encoding="utf-8")
    made = await parts()
    assert rewritten(page, made) == page, "run python tests/handlers/chat_page.py"
    assert all(f"/{name}" in made["commands"] for name in ("kill", "start_strategy", "wait"))
