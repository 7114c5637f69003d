"""Generated records of every kind."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from ledger_samples import AT

from trader.domain.times import IST

# Fixed offsets only: times in the fold of a real zone equal nothing elsewhere (PEP 495), not even themselves.
ZONES = st.sampled_from([IST, UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=12, minutes=45))])
FROM, TO = AT.replace(year=1990, tzinfo=None), AT.replace(year=2120, tzinfo=None)
TIMES = st.datetimes(FROM, TO, timezones=ZONES)
MONEY = st.decimals(-(10**15), 10**15, allow_nan=False, allow_infinity=False) | st.sampled_from(
    [Decimal("0.1") + Decimal("0.2"), Decimal("1E-18"), Decimal("1E+9"), Decimal("-0.00"), Decimal("100.050")]
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
WHOLE = st.integers(-(2**63), 2**63 - 1)


def records_of(kind: type[Any], **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Records of a kind with every field generated from its type, but for ``fixed``."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{f.name: fixed.get(f.name, _of(hints[f.name])) for f in fields(kind)})


def _of(hint: Any) -> st.SearchStrategy[Any]:
    while isinstance(hint, NewType):
        hint = hint.__supertype__
    if get_origin(hint) in (Union, UnionType):
        (inner,) = (a for a in get_args(hint) if a is not NoneType)
        return st.none() | _of(inner)
    if get_origin(hint) is tuple:
        inner, *rest = get_args(hint)
        return (
            st.lists(_of(inner), max_size=3).map(tuple)
            if rest == [...]
            else st.tuples(_of(inner), *map(_of, rest))
        )
    if is_dataclass(hint) and isinstance(hint, type):
        return records_of(hint)
    if issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    return {str: TEXT, int: WHOLE, bool: st.booleans(), Decimal: MONEY, datetime: TIMES, date: st.dates()}[
        hint
    ]
