"""Numba's way from Python to machine code, without the stops that the loop has no use for: it has no closures
and no array expressions, nothing to unroll or to rewrite, a variable is of one type, and nothing is counted
that would have to be let go. Those stops were a third of the time.

This reaches into Numba (0.61 to 0.68), as ``linking`` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cache
from typing import Any

from numba.core import compiler, event, ir, lowering, typed_passes, typeinfer, untyped_passes, utils
from numba.core.compiler_machinery import PassManager
from numba.core.registry import cpu_target
from numba.core.types.functions import BaseFunction
from numba.core.typing.npydecl import Numpy_rules_ufunc

_NOWHERE: AbstractContextManager[None] = nullcontext()


class Lean(compiler.CompilerBase):  # type: ignore[misc]  # Numba has no types
    def define_pipelines(self) -> list[Any]:
        passes = PassManager("lean")
        for one, why in (
            (untyped_passes.TranslateByteCode, "read the bytecode"),
            (untyped_passes.FixupArgs, "name the arguments"),
            (untyped_passes.IRProcessing, "order the code"),
            (typed_passes.NopythonTypeInference, "find the types"),
            (typed_passes.AnnotateTypes, "keep the types"),
            (typed_passes.NativeLowering, "make LLVM's code"),
            (typed_passes.NoPythonBackend, "make machine code"),
        ):
            passes.add_pass(one, why)
        passes.finalize()
        return [passes]


@contextmanager
def briefly() -> Iterator[None]:
    """What is compiled inside is compiled without what Numba does for others, a third of the time. Within
    Numba's own lock."""
    with ExitStack() as changed:
        changed.enter_context(_scalars_only())
        changed.enter_context(_instead(event, "broadcast", _unheard))
        changed.enter_context(_instead(BaseFunction, "get_call_type", _asked_once()))
        changed.enter_context(_instead(ir.Inst, "_rec_list_vars", _variables))
        changed.enter_context(_instead(utils, "pysignature", cache(utils.pysignature)))
        for step in (typeinfer, lowering):
            changed.enter_context(_instead(step, "new_error_context", _unexplained))
        yield


@contextmanager
def _instead(owner: Any, name: str, other: Any) -> Iterator[None]:
    known = getattr(owner, name)
    setattr(owner, name, other)
    try:
        yield
    finally:
        setattr(owner, name, known)


@contextmanager
def _scalars_only() -> Iterator[None]:
    """Operators without the rules for arrays, which are asked at length each time and never apply here."""
    typing = cpu_target.typing_context
    typing.refresh()
    known = {
        id(kind): (kind, kind.templates)
        for kind in typing._globals.values()
        if any(_of_arrays(rule) for rule in getattr(kind, "templates", ()))
    }
    for kind, rules in known.values():
        kind.templates = tuple(rule for rule in rules if not _of_arrays(rule))
    try:
        yield
    finally:
        for kind, rules in known.values():
            kind.templates = rules


def _of_arrays(rule: Any) -> bool:
    return Numpy_rules_ufunc in getattr(rule, "__mro__", ())


def _asked_once() -> Any:
    """What an operator makes of its operands' types: asked ten thousand times for six hundred answers."""
    ask = BaseFunction.get_call_type
    known: dict[Any, tuple[Any, Any]] = {}

    def get_call_type(self: Any, context: Any, args: Any, kws: Any) -> Any:
        if kws:
            return ask(self, context, args, kws)
        asked = (id(self), args)
        if asked not in known:
            known[asked] = self, ask(self, context, args, kws)  # kept, so that its id is nobody else's
        return known[asked][1]

    return get_call_type


def _variables(instruction: Any, value: Any) -> list[Any]:
    """The variables in an instruction's ``value``: as Numba finds them, with the commonest kinds first."""
    found: list[Any] = []
    for one in value.values() if type(value) is dict else value if type(value) in (list, tuple) else (value,):
        kind = type(one)
        if kind is ir.Var:
            found.append(one)
        elif kind is str or kind is int or kind is ir.Loc:
            continue
        elif isinstance(one, ir.Inst):
            found += one.list_vars()
        elif kind is dict or kind is list or kind is tuple:
            found += _variables(instruction, one)
    return found


def _unexplained(*_: object, **__: object) -> AbstractContextManager[None]:
    """Where in the code a fault arose: noted for each line, and read when there is one (``jit.loop``)."""
    return _NOWHERE


def _unheard(event: Any) -> None:
    """What Numba tells of its progress, to listeners that add up times nobody reads."""
