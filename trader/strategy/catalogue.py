"""The strategies a folder holds."""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, ModuleType

from trader.domain.errors import InvalidInput, UnknownName
from trader.strategy.options import OPTIONS, parse_settings
from trader.strategy.strategy import Strategy, name_of_class

_CLASS = re.compile(r"^class\s+(\w+)\s*\(", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """``faults`` says of each file that could not be used, by its name, why; the others are not affected.
    ``missing`` has the names its strategies would go by, as far as its text tells, each with its file."""

    strategies: Mapping[str, type[Strategy]]
    faults: Mapping[str, str]
    folder: Path | None = None  # where they were found, for processes that must find them again
    missing: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def discover(cls, folder: Path) -> Catalogue:
        """Import every ``*.py`` in ``folder`` whose name does not begin with ``_``, each by itself. A file
        edited since is read afresh. InvalidInput when there is no such folder."""
        if not folder.is_dir():
            raise InvalidInput(f"Expected a folder of strategies at {folder}, there is none")
        found: dict[str, type[Strategy]] = {}
        faults: dict[str, str] = {}
        files = [p for p in sorted(folder.glob("*.py")) if not p.name.startswith("_") and not p.is_dir()]
        homes: dict[str, str] = {}
        missing: dict[str, str] = {}
        for path in files:
            try:
                strategies = _strategies_of(_load(path))
            except (Exception, SystemExit) as e:
                faults[path.name] = _sentence(path, e)
                missing |= dict.fromkeys(_names_in(path), path.name)
                continue
            for strategy in strategies:
                home = homes.setdefault(strategy.name, path.name)
                if strategy.name not in found:
                    found[strategy.name] = strategy
                elif path.stem == strategy.name:  # a copied file must not take its original's place
                    faults[home] = _taken(strategy.name, path.name)
                    found[strategy.name], homes[strategy.name] = strategy, path.name
                else:
                    faults[path.name] = _taken(strategy.name, home)
        return cls(
            MappingProxyType(found), MappingProxyType(faults), folder.resolve(), MappingProxyType(missing)
        )

    def get(self, name: str) -> type[Strategy]:
        """By its own name, or a failing file's. Raises UnknownName with a suggestion; when its file is at
        fault, InvalidInput with the file and the fault."""
        folded = name.strip().casefold()
        strategy = self.strategies.get(folded)
        if strategy is not None:
            return strategy
        stems = {Path(file).stem.casefold(): file for file in self.faults}
        if file := self.missing.get(folded) or stems.get(folded):
            raise InvalidInput(f"{folded} cannot be used: {file}, {self.faults[file]}")
        raise UnknownName("strategy", name, sorted({*self.strategies, *self.missing, *stems}))

    def names(self) -> list[str]:
        return sorted(self.strategies)


def _load(path: Path) -> ModuleType:
    """The file as module ``strategies.<stem>``. It stays in ``sys.modules``, or processes that optimise could
    not unpickle its classes; what a failing file left there is taken away."""
    name = f"strategies.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is not Python")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        raise
    return module


def _strategies_of(module: ModuleType) -> list[type[Strategy]]:
    """Strategies written in this file; a class named with ``_`` is a base for others."""
    own = [
        value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Strategy)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]
    if not own:
        raise InvalidInput("it defines no Strategy")
    for strategy in own:
        _check(strategy)
    return own


def _names_in(path: Path) -> list[str]:
    """What the strategies of a file that cannot be imported would be called: its text is all there is."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [name_of_class(found) for found in _CLASS.findall(text) if not found.startswith("_")]


def _check(strategy: type[Strategy]) -> None:
    if not strategy.decides_on_bars() and not strategy.decides_on_ticks():
        raise InvalidInput(f"{strategy.__name__} has neither signals nor on_tick")
    if clash := sorted(strategy.params().keys() & OPTIONS.keys()):
        raise InvalidInput(
            f"{strategy.__name__} has a Param called {clash[0]}, which is an option of every strategy"
        )
    if strange := sorted(strategy.options.keys() - OPTIONS.keys()):
        raise UnknownName(f"option in {strategy.__name__}.options", strange[0], OPTIONS)
    try:
        parse_settings(strategy, {})
    except InvalidInput as e:
        raise InvalidInput(f"the defaults of {strategy.__name__} cannot be used: {e}") from e


def _sentence(path: Path, fault: BaseException) -> str:
    if isinstance(fault, InvalidInput):
        return str(fault)
    lines = [f.lineno for f in traceback.extract_tb(fault.__traceback__) if f.filename == str(path)]
    text = f"{type(fault).__name__}: {fault}"
    if isinstance(fault, SyntaxError) and fault.filename in (str(path), None):
        lines, text = [fault.lineno], fault.msg
    elif isinstance(fault, SyntaxError):  # of a file that it imports
        text = f"{Path(str(fault.filename)).name}, line {fault.lineno}: {fault.msg}"
    elif isinstance(fault, ImportError) and fault.path:  # of this machine, and long on a phone
        text = text.removesuffix(f" ({fault.path})")
    place = f"line {lines[-1]}: " if lines and lines[-1] else ""
    return place + text


def _taken(name: str, home: str) -> str:
    return f"the name {name} is already taken by {home}; give its class another name"
