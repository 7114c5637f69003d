"""Tables by their address.

Compiled functions hand on two pointers, to the addresses of the tables of the market and of the desk.
Handing on two dozen arrays instead, with their shapes and reference counts, made compiling last minutes and
every call slow. Nothing checks bounds here: NUMBA_DISABLE_JIT=1 runs everything as plain Python with bounds
checked, for a debugger, and for doubts.
"""

from __future__ import annotations

import operator
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, lower_builtin, lower_getattr_generic, models, register_model

from trader.backtest.compiled.fields import Market, State

PLAIN = bool(numba.config.DISABLE_JIT)

_KINDS = {
    "cells": types.int32,
    "last": types.int32,
    "previous": types.int32,
    "flags": types.uint8,
    "terms": types.float64,
    "fractions": types.float64,
    "calls": types.int32,
    "call_bits": types.uint8,
    "worth": types.float64,
    "held": types.float64,
}  # the others are int64


class Table(types.CPointer):  # type: ignore[misc,name-defined]  # Numba has no types
    """A pointer into one table. What is written to a table changes no other one, and nothing changes those of
    the market: LLVM is told so, or it would read everything again after every write."""

    def __init__(self, name: str, *, fixed: bool) -> None:
        self.table, self.fixed = name, fixed
        super().__init__(_KINDS.get(name, types.int64))
        self.name = f"Table({name})"

    @property
    def key(self) -> Any:
        return self.table, self.dtype


@register_model(Table)
class _TableModel(models.PointerModel):  # type: ignore[misc]  # Numba has no types
    pass


@lower_builtin(operator.getitem, Table, types.Integer)  # type: ignore[untyped-decorator]  # Numba has no types
def _read(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    value = builder.load(builder.gep(args[0], [args[1]]))
    _mark(builder, value, signature.args[0])
    return value


@lower_builtin(operator.setitem, Table, types.Integer, types.Any)  # type: ignore[untyped-decorator]  # as above
def _write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    table, _, kind = signature.args
    value = context.cast(builder, args[2], kind, table.dtype)
    _mark(builder, builder.store(value, builder.gep(args[0], [args[1]])), table)
    return context.get_dummy_value()


def _mark(builder: Any, instruction: Any, table: Any) -> None:
    module = builder.module
    if table.fixed:
        instruction.set_metadata("invariant.load", module.add_metadata([]))
        return
    zero = ir.Constant(ir.IntType(64), 0)
    kind = module.add_metadata([table.table, module.add_metadata(["tables"]), zero])
    instruction.set_metadata("tbaa", module.add_metadata([kind, kind, zero]))


class Tables(types.Type):  # type: ignore[misc]  # Numba has no types
    """A pointer to the addresses of named tables."""

    def __init__(self, layout: Any) -> None:
        fixed = layout is Market
        self.places = {name: (n, Table(name, fixed=fixed)) for n, name in enumerate(layout._fields)}
        super().__init__(f"Tables({layout.__name__})")


@register_model(Tables)
class _TablesModel(models.PrimitiveModel):  # type: ignore[misc]  # Numba has no types
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.IntType(64).as_pointer())


@infer_getattr
class _TablesAttribute(AttributeTemplate):  # type: ignore[misc]  # Numba has no types
    key = Tables

    def generic_resolve(self, tables: Any, name: str) -> Any:
        return tables.places[name][1] if name in tables.places else None


@lower_getattr_generic(Tables)  # type: ignore[untyped-decorator]  # Numba has no types
def _table(context: Any, builder: Any, tables: Any, value: Any, name: str) -> Any:
    place, kind = tables.places[name]
    address = builder.load(builder.gep(value, [ir.Constant(ir.IntType(64), place)]))
    address.set_metadata("invariant.load", builder.module.add_metadata([]))  # they never move during a run
    return builder.inttoptr(address, context.get_value_type(kind))


def _cast(kind: Any) -> Any:
    @intrinsic
    def cast(typing_context: Any, address: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(kind))

        return kind(types.int64), code

    return cast


as_market, as_state = _cast(Tables(Market)), _cast(Tables(State))


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


def pointed(tables: Any) -> tuple[Any, Any]:
    """What compiled functions take for ``tables``, and what the caller keeps while they run. The arrays must
    be C-ordered and of the kinds named above."""
    for name, table in zip(tables._fields, tables, strict=True):
        expected = np.dtype(str(_KINDS.get(name, types.int64)))
        if table.dtype != expected or not table.flags.c_contiguous:
            raise TypeError(f"Expected {name} as a C-ordered table of {expected}, was {table.dtype}")
    if PLAIN:
        return type(tables)(*(table.reshape(-1) for table in tables)), tables
    addresses = np.array([table.ctypes.data for table in tables], dtype=np.int64)
    return addresses.ctypes.data, (addresses, tables)


if PLAIN:
    as_market = as_state = lambda tables: tables

    def row(pointer: Any, index: Any) -> Any:
        if not 0 <= index < len(pointer):
            raise IndexError(index)
        return pointer[index:]

    def apart() -> None:
        return None
