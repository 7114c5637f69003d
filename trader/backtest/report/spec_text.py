"""A Spec as JSON and back, exactly: Decimals as text, spans of time as microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from trader.backtest.spec import Leg, Spec
from trader.desk.limits import RiskLimits
from trader.domain.errors import InvalidInput
from trader.domain.instrument import InstrumentKey
from trader.domain.market import Interval

_MICROSECOND = timedelta(microseconds=1)


def spec_to(spec: Spec) -> dict[str, Any]:
    return {
        "legs": [
            {
                "name": leg.name,
                "strategy": leg.strategy,
                "symbols": list(leg.symbols),
                "interval": leg.interval.value,
                "settings": [list(pair) for pair in leg.settings],
            }
            for leg in spec.legs
        ],
        "first": spec.first.isoformat() if spec.first else None,
        "last": spec.last.isoformat() if spec.last else None,
        "limits": {one.name: _limit_to(getattr(spec.limits, one.name)) for one in fields(RiskLimits)},
        "slippage_bps": spec.slippage_bps,
        "charges": spec.charges,
    }


def spec_from(written: Mapping[str, Any]) -> Spec:
    """InvalidInput when it was not written by ``spec_to``, or by another version of this program."""
    try:
        return Spec(
            legs=tuple(_leg(leg) for leg in written["legs"]),
            first=date.fromisoformat(written["first"]) if written["first"] else None,
            last=date.fromisoformat(written["last"]) if written["last"] else None,
            limits=_limits(written["limits"]),
            slippage_bps=float(written["slippage_bps"]),
            charges=bool(written["charges"]),
        )
    except (KeyError, TypeError, ValueError, InvalidOperation) as e:
        raise InvalidInput(f"Expected a test as it was recorded, {type(e).__name__}: {e}") from None


def _leg(written: Mapping[str, Any]) -> Leg:
    return Leg(
        name=str(written["name"]),
        strategy=str(written["strategy"]),
        symbols=tuple(InstrumentKey(symbol) for symbol in written["symbols"]),
        interval=Interval(written["interval"]),
        settings=tuple((str(name), str(value)) for name, value in written["settings"]),
    )


def _limit_to(value: Decimal | int | timedelta) -> str | int | dict[str, int]:
    if isinstance(value, Decimal):
        return str(value)
    return {"microseconds": value // _MICROSECOND} if isinstance(value, timedelta) else value


def _limits(written: Mapping[str, Any]) -> RiskLimits:
    """Each limit in the type its default has. One that was not there yet is its default."""
    defaults = RiskLimits()
    unknown = set(written) - {one.name for one in fields(RiskLimits)}
    if unknown:
        raise KeyError(f"unknown limit {', '.join(sorted(unknown))}")
    known: dict[str, Any] = {}
    for name, value in written.items():
        default = getattr(defaults, name)
        if isinstance(default, Decimal):
            known[name] = Decimal(value)
        elif isinstance(default, timedelta):
            known[name] = value["microseconds"] * _MICROSECOND
        else:
            known[name] = int(value)
    return RiskLimits(**known)
