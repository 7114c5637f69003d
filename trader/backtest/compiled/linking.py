"""One program instead of sixty. Numba makes every function that a compiled one calls a library of its own,
with copies of all that it calls in turn, optimised and made machine code each time: the loop took a minute to
compile. Here the parts wait, and are linked once into what calls them all.

This reaches into Numba (0.61 to 0.68); where it has changed, ``together`` does nothing, and compiling takes
longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import codegen, compiler_lock
from numba.core.registry import cpu_target


class _Waiting(codegen.JITCodeLibrary):  # type: ignore[misc]  # Numba has no types
    """A library that is not finished by itself, but in the one whose name is ``outermost``."""

    outermost = ""

    def _optimize_functions(self, ll_module: Any) -> None:
        """Not here: all of them are optimised once more when they are one program."""

    def _optimize_final_module(self) -> None:
        """Once: what Numba does before is for reference counts, and there are none. Nobody else calls the
        parts: LLVM need not keep them as they were written, and the loop is a tenth faster."""
        for function in self._final_module.functions:
            if not function.is_declaration and function.name not in self._entries:
                function.linkage = "internal"
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)

    def finalize(self) -> None:
        if self.name != self.outermost:
            self._finalized = True
            return
        self._entries = {one.name for one in self._final_module.functions if not one.is_declaration}
        self._linking_libraries = _all_below(self)
        super().finalize()

    def get_pointer_to_function(self, name: str) -> int:
        if self.name != self.outermost:
            self._ensure_finalized()
            return 0
        pointer: int = super().get_pointer_to_function(name)
        return pointer


def _all_below(library: Any) -> list[Any]:
    found: dict[int, Any] = {}
    waiting = list(library._linking_libraries)
    while waiting:
        one = waiting.pop()
        if id(one) not in found:
            found[id(one)] = one
            waiting += getattr(one, "_linking_libraries", ())
    return list(found.values())


@contextmanager
def together(name: str) -> Iterator[None]:
    """What is compiled inside is one program; ``name`` is its entry."""
    try:
        target = cpu_target.target_context.codegen()
        known, set_env = target._library_class, target.set_env
    except AttributeError:
        yield
        return

    def set_env_if_there(env_name: str, env: Any) -> None:
        if target._engine.get_global_value_address(env_name):
            set_env(env_name, env)

    with compiler_lock.global_compiler_lock:
        _Waiting.outermost = name
        target._library_class, target.set_env = _Waiting, set_env_if_there
        try:
            yield
        finally:
            target._library_class = known
            del target.set_env
