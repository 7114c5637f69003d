"""The strategies a folder holds."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType

from trader.domain.errors import InvalidInput, UnknownName
from trader.strategy.options import OPTIONS, parse_settings
from trader.strategy.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Catalogue:
    """``faults`` says of each file that could not be used, by its name, why; the others are not affected."""

    strategies: Mapping[str, type[Strategy]]
    faults: Mapping[str, str]
    folder: Path | None = None  # where they were found, for processes that must find them again

    @classmethod
    def discover(cls, folder: Path) -> Catalogue:
        """Import every ``*.py`` in ``folder`` whose name does not begin with ``_``, each by itself. A file
        edited since is read afresh. InvalidInput when there is no such folder."""
        if not folder.is_dir():
            raise InvalidInput(f"Expected a folder of strategies at {folder}, there is none")
        found: dict[str, type[Strategy]] = {}
        faults: dict[str, str] = {}
        files = [path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_")]
        homes: dict[str, str] = {}
        for path in files:
            try:
                strategies = _strategies_of(_load(path))
            except (Exception, SystemExit) as e:
                faults[path.name] = _sentence(path, e)
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
        return cls(MappingProxyType(found), MappingProxyType(faults), folder.resolve())

    def get(self, name: str) -> type[Strategy]:
        """Raises UnknownName with a suggestion; when its file is at fault, InvalidInput with the fault."""
        folded = name.strip().casefold()
        strategy = self.strategies.get(folded)
        if strategy is not None:
            return strategy
        if fault := self.faults.get(f"{folded}.py"):
            raise InvalidInput(f"{folded} cannot be used: {fault}")
        # A class of a file that cannot be read has no name yet: its file is offered, which tells why.
        raise UnknownName("strategy", name, [*self.strategies, *(Path(file).stem for file in self.faults)])

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
    if isinstance(fault, SyntaxError):
        return f"line {fault.lineno}: {fault.msg}"
    lines = [f.lineno for f in traceback.extract_tb(fault.__traceback__) if f.filename == str(path)]
    place = f"line {lines[-1]}: " if lines else ""
    return f"{place}{type(fault).__name__}: {fault}"


def _taken(name: str, home: str) -> str:
    return f"the name {name} is already taken by {home}; give its class another name"
