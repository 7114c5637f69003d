"""Strategies, parameters and options in words, for help; texts only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trader.strategy.options import OPTIONS
from trader.strategy.param import Param
from trader.strategy.strategy import Strategy


@dataclass(frozen=True, slots=True)
class ParamInfo:
    name: str
    default: str
    span: str  # "2 to 50", "MIS or CNC", "any number"
    help: str


@dataclass(frozen=True, slots=True)
class StrategyInfo:
    name: str
    summary: str  # first line of its docstring
    params: tuple[ParamInfo, ...]


def strategy_info(strategy: type[Strategy]) -> StrategyInfo:
    params = tuple(_info(name, param) for name, param in strategy.params().items())
    return StrategyInfo(strategy.name, strategy.describe(), params)


def option_infos(
    strategy: type[Strategy] | None = None, defaults: Mapping[str, str] | None = None
) -> tuple[ParamInfo, ...]:
    """The common options with the defaults that hold for ``strategy`` on a desk with ``defaults``."""
    texts = {**(defaults or {}), **(strategy.options if strategy else {})}
    return tuple(_info(name, param, texts.get(name)) for name, param in OPTIONS.items())


def _info(name: str, param: Param[Any], default: str | None = None) -> ParamInfo:
    return ParamInfo(name, param.text(param.default) if default is None else default, param.span, param.help)
