"""Tables by their address. A pointer is one number where an array is nine, with reference counts: compiled
functions that hand on a dozen tables compile in a tenth of the time. Nothing checks bounds here."""

from __future__ import annotations

from typing import Any

import numba
from numba.core import types
from numba.extending import intrinsic

# NUMBA_DISABLE_JIT=1 runs everything as plain Python, with bounds checked: for a debugger, and for doubts.
PLAIN = bool(numba.config.DISABLE_JIT)


def addresses(tables: Any) -> Any:
    """The arrays' addresses, in what they come in. They must be C-ordered, and be kept by the caller."""
    if not all(table.flags.c_contiguous for table in tables):
        raise ValueError("Expected tables without gaps")
    given = [table.reshape(-1) if PLAIN else table.ctypes.data for table in tables]
    return type(tables)(*given) if hasattr(tables, "_fields") else tuple(given)


def _cast(kind: Any) -> Any:
    pointer = types.CPointer(kind)

    @intrinsic
    def cast(typing_context: Any, address: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(pointer))

        return pointer(types.int64), code

    return cast


as_int64, as_int32, as_uint8, as_float64 = (
    _cast(kind) for kind in (types.int64, types.int32, types.uint8, types.float64)
)


@intrinsic
def row(typing_context: Any, pointer: Any, index: Any) -> Any:  # type: ignore[misc]  # Numba has no types
    """The table from ``index`` on."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]])

    return pointer(pointer, types.int64), code


@intrinsic
def apart(typing_context: Any) -> Any:  # type: ignore[misc]  # Numba has no types
    """Keeps the function it is called in out of its callers: what happens seldom must not make the loop
    large."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.none(), code


if PLAIN:
    as_int64 = as_int32 = as_uint8 = as_float64 = lambda table: table

    def row(pointer: Any, index: Any) -> Any:
        if not 0 <= index < len(pointer):
            raise IndexError(index)
        return pointer[index:]

    def apart() -> None:
        return None
