"""Compiling, typed for people and for mypy, with a cache that knows every file it was made of."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import types
from numba.core.errors import NumbaError
from numba.extending import register_jitable

from trader.backtest.compiled.linking import together
from trader.backtest.compiled.pipeline import Lean, briefly
from trader.strategy import rules

_PLAIN: Any = {"_nrt": False, "error_model": "numpy", "no_cfunc_wrapper": True, "pipeline_class": Lean}
_F = TypeVar("_F", bound=Callable[..., Any])

for _rule in rules.RULES:
    register_jitable(_rule)


def part(function: _F) -> _F:
    """A function that compiled ones call. It is compiled, and cached, as part of them, once: Numba would make
    another one for every constant that it is called with."""
    compiled = numba.njit(**_PLAIN, no_cpython_wrapper=True)(function)
    if not numba.config.DISABLE_JIT:
        template = compiled.get_call_template
        compiled.get_call_template = lambda args, kws: template(
            tuple(types.unliteral(arg) for arg in args), kws
        )
    return compiled  # type: ignore[no-any-return]  # Numba has no types


def loop(function: _F) -> _F:
    """A function that Python calls. It allocates nothing: without reference counts it compiles in a fraction
    of the time, and what it calls is made machine code with it, not first by itself. The code is kept beside
    the file, or in the user's cache where that folder cannot be written; where neither can, every process
    compiles."""
    compiled = numba.njit(**_PLAIN, nogil=True)(function)
    if not numba.config.DISABLE_JIT:
        given, make = compiled.compile, compiled._compiler.compile

        def compile_together(signature: Any) -> Any:
            with together(function.__qualname__), uncollected():
                return given(signature)

        def make_plainly(*types: Any) -> Any:
            """Where the cache has nothing. A fault is met again in Numba's own way, to be told its place."""
            try:
                with briefly():
                    return make(*types)
            except NumbaError:
                return make(*types)

        compiled.compile = compile_together
        compiled._compiler.compile = make_plainly
    return _cached(compiled)


@contextmanager
def uncollected() -> Iterator[None]:
    """Compiling makes millions of objects and frees few: looking for garbage takes a tenth of its time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _cached(compiled: Any) -> Any:
    if numba.config.DISABLE_JIT:
        return compiled
    try:
        compiled.enable_caching()
    except RuntimeError:  # Numba found no folder it may write
        return compiled
    _stamp(compiled)
    return compiled


def _stamp(compiled: Any) -> None:
    """Numba looks at the age of the function's own file only; a rule changed in another one would go
    unnoticed. The cache is valid for the text of all files instead."""
    from numba.core.caching import IndexDataCacheFile  # not public: without it the cache is not used

    implementation = compiled._cache._impl
    compiled._cache._cache_file = IndexDataCacheFile(
        cache_path=compiled._cache.cache_path,
        filename_base=implementation.filename_base,
        source_stamp=sources_hash(),
    )


def sources_hash() -> str:
    """Of everything that is compiled: the loop, its parts, the rules."""
    digest = hashlib.sha256(numba.__version__.encode())
    here = Path(__file__).resolve().parent
    for path in [*sorted(here.glob("*.py")), here.parent / "kernel.py", Path(rules.__file__)]:
        if path.exists():
            digest.update(path.read_bytes())
    return digest.hexdigest()
