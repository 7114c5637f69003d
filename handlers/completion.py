"""What the terminal's prompt offers to complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from handlers.confidential import holds_secret
from handlers.locks import name_of_key
from handlers.registry import Registry
from handlers.symbols import name_of
from trader.service.port import DeskPort

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.history import History

MOST = 50
_LOCKED = ("locks", "adopt", "ignore", "flatten")
_SYMBOLS = ("start_strategy", "quote", "chain", "calendar", "charges")

Words = Callable[[str], list[tuple[str, str]]]


def words_of(registry: Registry, desk: DeskPort) -> Words:
    """(word, explanation) pairs that could stand where the cursor is."""

    def candidates(command: str, rest: str) -> Iterable[tuple[str, str]]:
        found = registry.find(command)
        if found is None:
            return ()
        first, _, last = rest.rpartition(" ")
        if found.name == "start_strategy" and not first:
            return [(info.name, info.summary) for info in desk.strategies()]
        if found.name in _SYMBOLS:
            begun = last.rpartition(",")[0]
            symbols = desk.search(last.removeprefix(f"{begun},"), MOST) if last else ()
            return [(f"{begun}{',' if begun else ''}{name_of(i)}", i.name) for i in symbols]
        if found.name in _LOCKED:
            return [(name_of_key(lock.key), lock.text) for lock in desk.view().locks]
        if found.name == "reopened":
            return [(day.isoformat(), why) for day, why in sorted(desk.calendar().closures().items())]
        if found.name in ("stop_strategy", "pause", "resume"):
            return [(i.instance.name, i.instance.status) for i in desk.view().instances]
        return [(c.name, c.help) for c in registry] if found.name == "help" else ()

    def words(text: str) -> list[tuple[str, str]]:
        head, space, rest = text.partition(" ")
        if not space:
            offered: Iterable[tuple[str, str]] = [(f"/{c.name}", c.help) for c in registry]
            return [(w, h) for w, h in offered if w.startswith(head.casefold())] if head else []
        last = rest.rpartition(" ")[2].casefold()
        return [(w, h) for w, h in candidates(head, rest) if w.casefold().startswith(last)][:MOST]

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


def history() -> History:
    """What the arrow keys bring back: everything that was typed, but for what held a secret."""
    from prompt_toolkit.history import InMemoryHistory

    class Remembered(InMemoryHistory):
        def append_string(self, string: str) -> None:
            if not holds_secret(string):
                super().append_string(string)

    return Remembered()
