"""Searching symbols and names, and the nearest to a name nobody knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from difflib import get_close_matches
from functools import cached_property
from heapq import nsmallest

from trader.domain.instrument import InstrumentKey, symbol_of
from trader.market.contracts import spots
from trader.market.shelf import Shelf

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789&- "
_SERIES = re.compile(r"-[A-Z0-9]{2}$")  # RELIANCE-BL: the block deal window, not what people mean
_SHORTEST_NAME = 3
_SHOWN = 13


class SymbolSearch:
    """Over one shelf. Built when first asked, thrown away when the shelf changes."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._keys, self._symbols, self._names = shelf.cash()
        self._texts = [f"{s}\n{n}" for s, n in zip(self._symbols, self._names, strict=True)]
        rows = range(len(self._symbols) - 1, -1, -1)  # backwards: the first row of a symbol wins
        self._row_of = dict(zip(reversed(self._symbols), rows, strict=True))
        self._leading = {name for _, name in shelf.underlyings()}
        self._indices = frozenset(spots().values())
        self._contracts: tuple[date | None, Sequence[InstrumentKey]] | None = None

    # -- search -------------------------------------------------------------------------------------------

    def search(self, text: str, limit: int, today: date | None) -> Sequence[InstrumentKey]:
        """Keys of what holds every word of ``text``, at most ``limit``: stocks and indices first."""
        exchange, _, typed = text.strip().upper().rpartition(":")
        words = list(dict.fromkeys(typed.split()))
        if not words or limit < 1:
            return []
        rows: Iterable[int] = range(len(self._texts))
        for word in words:
            rows = [row for row in rows if word in self._texts[row]]
        rows = [row for row in rows if self._keys[row].startswith(exchange)]
        best = nsmallest(limit, rows, key=lambda row: (self._how(row, typed, words[0]), self._standing(row)))
        found = [self._keys[row] for row in best]
        room = limit - len(found)
        return [*found, *self._matching_contracts(exchange, words, room, today)] if room else found

    def _how(self, row: int, typed: str, first: str) -> int:
        if self._symbols[row] == typed:
            return 0
        return 1 if self._symbols[row].startswith(first) else 2 if self._names[row].startswith(first) else 3

    def _standing(self, row: int) -> tuple[bool, bool, int, str, bool]:
        """What is looked for most comes first: underlyings of contracts, then plain symbols, short ones."""
        symbol, key = self._symbols[row], self._keys[row]
        leads = symbol in self._leading or key in self._indices
        return not leads, bool(_SERIES.search(symbol)), len(symbol), symbol, not key.startswith("NSE")

    def _matching_contracts(
        self, exchange: str, words: Sequence[str], room: int, today: date | None
    ) -> Iterator[InstrumentKey]:
        if self._contracts is None or self._contracts[0] != today:
            self._contracts = today, self._shelf.contract_keys(today)
        keys = self._contracts[1]
        for word in words:
            keys = [key for key in keys if word in key]
        keys = [key for key in keys if key.startswith(exchange)]
        begins = [key for key in keys if key.startswith(words[0], key.index(":") + 1)]
        yield from begins[:room]
        if len(begins) < room:
            among = set(begins)
            yield from [key for key in keys if key not in among][: room - len(begins)]

    # -- did you mean -------------------------------------------------------------------------------------

    def nearest(self, text: str) -> str | None:
        """The symbol closest to ``text``; with its exchange if one was typed."""
        exchange, _, typed = text.strip().upper().rpartition(":")
        typed = " ".join(typed.split())
        near = self._one_edit_away(typed) or self._named(typed) or self._alike(typed)
        if not exchange:
            return near[0] if near else None
        keys = (InstrumentKey(f"{exchange}:{symbol}") for symbol in near)
        return next((key for key in keys if key in self._shelf), None)

    @cached_property
    def some(self) -> Sequence[str]:
        """A few symbols, those with contracts first, to show what there is."""

        def rank(row: int) -> tuple[bool, bool, bool, str]:
            leads, series, *_ = self._standing(row)
            return leads, series, not self._symbols[row][:1].isalpha(), self._symbols[row]

        rows = nsmallest(_SHOWN, self._row_of.values(), key=rank)
        return [self._symbols[row] for row in rows] or [symbol_of(key) for key in list(self._shelf)[:_SHOWN]]

    def _one_edit_away(self, typed: str) -> Sequence[str]:
        """Symbols one letter less, more, other or swapped away from ``typed``: looked up, not compared."""
        halves = [(typed[:i], typed[i:]) for i in range(len(typed) + 1)]
        edits = {a + b[1:] for a, b in halves if b}
        edits |= {a + b[1] + b[0] + b[2:] for a, b in halves if len(b) > 1}
        edits |= {a + c + b[1:] for a, b in halves if b for c in _LETTERS}
        edits |= {a + c + b for a, b in halves for c in _LETTERS}
        return self._ordered(typed, (row for e in edits if (row := self._row_of.get(e)) is not None))

    def _named(self, typed: str) -> Sequence[str]:
        """Those whose name begins with ``typed``, as INFY's does with INFOSYS."""
        if len(typed) < _SHORTEST_NAME:
            return []
        return self._ordered(typed, (n for n, name in enumerate(self._names) if name.startswith(typed)))

    def _alike(self, typed: str) -> Sequence[str]:
        """By difflib, symbols and beginnings of names with the same first letter; all would take a second."""
        first, length = typed[:1], len(typed)
        bucket = {name[:length]: n for n, name in enumerate(self._names) if name[:1] == first}
        bucket |= {symbol: n for symbol, n in self._row_of.items() if symbol[:1] == first}
        return [self._symbols[bucket[text]] for text in get_close_matches(typed, bucket, n=3, cutoff=0.6)]

    def _ordered(self, typed: str, rows: Iterable[int]) -> Sequence[str]:
        def rank(row: int) -> tuple[bool, bool, bool, int, str]:
            leads, series, *_ = self._standing(row)
            symbol = self._symbols[row]
            return leads, series, symbol[:1] != typed[:1], abs(len(symbol) - len(typed)), symbol

        return [self._symbols[row] for row in nsmallest(3, rows, key=rank)]
