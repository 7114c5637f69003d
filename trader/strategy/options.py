"""The options every strategy takes beside its own parameters, and how typed settings become both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, cast

from trader.domain.errors import InvalidInput, UnknownName
from trader.domain.order import Product
from trader.strategy.param import Param, Value
from trader.strategy.strategy import Strategy

RISK_CEILING_PCT = 2.0

_LEAST_PCT = 0.1  # a stop or target nearer than this is inside the spread and the charges of a round trip

OPTIONS: Final[Mapping[str, Param[Any]]] = {
    "stop": Param(1.0, low=_LEAST_PCT, high=20.0, help="% from entry at which a loss is cut; never without"),
    "target": Param(2.0, low=0.0, high=100.0, help="% from entry at which a gain is taken; 0: none"),
    "trail": Param(0.0, low=0.0, high=20.0, help="% behind the best price the stop follows; 0: it stays"),
    "risk": Param(1.0, low=0.01, high=RISK_CEILING_PCT, help="% of capital a trade may lose at its stop"),
    "product": Param(
        Product.MIS.value,
        choices=tuple(product.value for product in Product),
        help="MIS intraday, CNC delivery, NRML contracts overnight, MTF delivery on margin",
    ),
    "side": Param("both", choices=("both", "long", "short"), help="directions it may enter"),
    "max_positions": Param(5, low=1, high=50, help="positions it may hold at a time"),
    "quantity": Param(0, low=0, high=1_000_000, help="units a trade; 0: sized by risk"),
}


@dataclass(frozen=True, slots=True)
class Options:
    """Percentages are of 100. InvalidInput when a value or their combination cannot be."""

    stop: float = OPTIONS["stop"].default
    target: float = OPTIONS["target"].default
    trail: float = OPTIONS["trail"].default
    risk: float = OPTIONS["risk"].default
    product: Product = Product.MIS
    side: Literal["both", "long", "short"] = "both"
    max_positions: int = OPTIONS["max_positions"].default
    quantity: int = OPTIONS["quantity"].default

    def __post_init__(self) -> None:
        faults = []
        for name, param in OPTIONS.items():
            value = getattr(self, name)
            try:
                param.check(value.value if isinstance(value, Product) else value, name=name)
            except InvalidInput as e:
                faults.append(str(e))
        if faults := faults or self._contradictions():
            raise _invalid(faults)

    def _contradictions(self) -> list[str]:
        faults = [
            f"{name} is {value:g}: expected 0 for none, or at least {_LEAST_PCT:g}"
            for name, value in (("target", self.target), ("trail", self.trail))
            if 0.0 < value < _LEAST_PCT
        ]
        if self.product in (Product.CNC, Product.MTF) and self.side != "long":
            # Delivery must be delivered: shares sold without owning them go to auction (india.md).
            faults.append(
                f"product is {self.product} and side is {self.side}: delivery cannot be sold short; "
                "give side=long, or product=MIS"
            )
        return faults

    @property
    def longs(self) -> bool:
        return self.side != "short"

    @property
    def shorts(self) -> bool:
        return self.side != "long"


@dataclass(frozen=True, slots=True)
class Configured:
    """A strategy ready to start. ``settings`` is every parameter and option as canonical text, sorted by
    name; parsed again it gives the same."""

    strategy: Strategy = field(compare=False)
    options: Options
    settings: tuple[tuple[str, str], ...]


def parse_settings(
    strategy: type[Strategy],
    given: Mapping[str, str],
    defaults: Mapping[str, str] | None = None,
) -> Configured:
    """``given`` are texts as typed, of parameters and options alike. An option not given is what the
    strategy's class says, else ``defaults`` (the desk's), else its own default. One InvalidInput names every
    fault; a single unknown name is an UnknownName."""
    params = strategy.params()
    known = {**OPTIONS, **params}
    texts = {**(defaults or {}), **strategy.options, **given}
    faults: list[InvalidInput] = []
    values: dict[str, Value] = {name: param.default for name, param in known.items()}
    spelled = {name.casefold(): name for name in known}  # phones begin a message with a capital
    for typed, text in texts.items():
        name = spelled.get(typed.strip().casefold(), typed)
        try:
            if name not in known:
                raise UnknownName(f"setting of {strategy.name}", name, known)
            values[name] = known[name].parse(text, name=name)
        except InvalidInput as e:
            faults.append(e)
    if not faults:
        try:
            options = _options(values)
        except InvalidInput as e:
            faults.append(e)
        try:
            made = strategy(**{name: values[name] for name in params})
        except InvalidInput as e:
            faults.append(e)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise _invalid([str(fault) for fault in faults])
    settings = tuple(sorted((name, known[name].text(value)) for name, value in values.items()))
    return Configured(made, options, settings)


def _options(values: Mapping[str, Value]) -> Options:
    chosen = {field.name: values[field.name] for field in fields(Options)}
    return Options(**cast(Any, {**chosen, "product": Product(str(chosen["product"]))}))


def _invalid(faults: list[str]) -> InvalidInput:
    if len(faults) == 1:
        return InvalidInput(faults[0])
    return InvalidInput("These settings cannot be used:\n" + "\n".join(f"- {fault}" for fault in faults))
