"""What the terminal's prompt offers to complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from handlers.registry import Registry
from trader.service.port import DeskPort

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completer

Words = Callable[[str], list[tuple[str, str]]]


def words_of(registry: Registry, desk: DeskPort) -> Words:
    """(word, explanation) pairs that could stand where the cursor is."""

    def candidates(command: str) -> Iterable[tuple[str, str]]:
        found = registry.find(command)
        if found is None:
            return ()
        if found.name == "start_strategy":
            return [(info.name, info.summary) for info in desk.strategies()]
        if found.name in ("stop_strategy", "pause", "resume"):
            return [(i.instance.name, i.instance.status) for i in desk.view().instances]
        if found.name == "quote":
            return [(i.symbol, i.name) for i in desk.instruments()]
        return [(c.name, c.help) for c in registry] if found.name == "help" else ()

    def words(text: str) -> list[tuple[str, str]]:
        head, space, rest = text.partition(" ")
        if not space:
            offered: Iterable[tuple[str, str]] = [(f"/{c.name}", c.help) for c in registry]
            return [(w, h) for w, h in offered if w.startswith(head.casefold())] if head else []
        last = rest.rpartition(" ")[2].casefold()
        return [(w, h) for w, h in candidates(head) if w.casefold().startswith(last)][:50]

    return words


def completer(words: Words) -> Completer:
    """The same for prompt_toolkit, which is imported only when there is a prompt."""
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document

    class Commands(Completer):
        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
            typed = document.text_before_cursor
            start = -len(typed.rpartition(" ")[2])
            for word, help_ in words(typed):
                yield Completion(word, start_position=start, display_meta=help_)

    return Commands()
