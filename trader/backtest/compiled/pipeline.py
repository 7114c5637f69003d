"""Numba's way from Python to machine code, without the stops that the loop has no use for: it has no closures
and no array expressions, nothing to unroll or to rewrite, and a variable is of one type. Those stops were a
third of the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import compiler, event, typed_passes, untyped_passes
from numba.core.compiler_machinery import PassManager
from numba.core.registry import cpu_target
from numba.core.typing.npydecl import Numpy_rules_ufunc


class Lean(compiler.CompilerBase):  # type: ignore[misc]  # Numba has no types
    def define_pipelines(self) -> list[Any]:
        passes = PassManager("lean")
        for one, why in (
            (untyped_passes.TranslateByteCode, "read the bytecode"),
            (untyped_passes.FixupArgs, "name the arguments"),
            (untyped_passes.IRProcessing, "order the code"),
            (typed_passes.NopythonTypeInference, "find the types"),
            (typed_passes.IRLegalization, "see that it can be lowered"),
            (typed_passes.AnnotateTypes, "keep the types"),
            (typed_passes.NativeLowering, "make LLVM's code"),
            (typed_passes.NoPythonBackend, "make machine code"),
        ):
            passes.add_pass(one, why)
        passes.finalize()
        return [passes]


@contextmanager
def scalars_only() -> Iterator[None]:
    """Operators without the rules for arrays, which are asked at length each time and never apply here; and
    nobody told of every step, several times over. Together a sixth of compiling. Within Numba's own lock."""
    typing = cpu_target.typing_context
    typing.refresh()
    known = {
        id(kind): (kind, kind.templates)
        for kind in typing._globals.values()
        if any(_of_arrays(rule) for rule in getattr(kind, "templates", ()))
    }
    broadcast = event.broadcast
    event.broadcast = _unheard
    for kind, rules in known.values():
        kind.templates = tuple(rule for rule in rules if not _of_arrays(rule))
    try:
        yield
    finally:
        event.broadcast = broadcast
        for kind, rules in known.values():
            kind.templates = rules


def _of_arrays(rule: Any) -> bool:
    return Numpy_rules_ufunc in getattr(rule, "__mro__", ())


def _unheard(event: Any) -> None:
    """What Numba tells of its progress, to listeners that add up times nobody reads."""
