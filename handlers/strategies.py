"""/strategies and /stop_strategy: what runs, what could, and how to end it."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.common import being_started, instance_called, money_tag, tell
from handlers.message import Button, Line, Pre, Reply, Style, say
from handlers.registry import Call, Danger, Role, command
from handlers.render.figures import price
from handlers.render.table import table
from handlers.render.text import one_line
from handlers.typed import no_more
from trader.desk.commands import Pause, StopStrategy
from trader.desk.view import InstanceView
from trader.domain.errors import InvalidInput
from trader.domain.instrument import symbol_of
from trader.domain.money import rupees
from trader.domain.records import InstanceStatus
from trader.service.port import DeskPort

STOP_USAGE = "/stop_strategy NAME close|keep"


@command("strategies", help="What runs, and what can be started", role=Role.VIEWER, danger=Danger.READ)
async def strategies(desk: DeskPort, call: Call) -> Reply:
    no_more(call.args, "/strategies")
    view = desk.view()
    started = view.instances
    blocks: list[Line | Pre] = [Line(f"{money_tag(desk.about(), view)} · strategies", bold=True)]
    if started:
        rows = [(i.instance.name, i.instance.status, price(i.net_today, signed=True)) for i in started]
        details = [_details(i) for i in started]
        shown = table(rows, ("Name", "State", "Today ₹"), "<<>", details=details, whole=True)
        blocks.append(Pre(shown))
    else:
        blocks.append(Line("None is started."))
    blocks.append(Line("To start:"))
    blocks += [
        Line(f"{info.name}: {info.summary}" if info.summary else info.name) for info in desk.strategies()
    ]
    blocks += [Line(f"Not used: {file}, {fault}") for file, fault in desk.unusable().items()]
    row = [Button("Start one", "/start_strategy")]
    if any(i.instance.status.alive or i.open_positions for i in started):
        row.append(Button("Stop one", "/stop_strategy"))
    return Reply(blocks, (tuple(row),))


def _details(item: InstanceView) -> list[str]:
    it = item.instance
    lines = [
        f"{it.strategy} {it.interval} on {', '.join(symbol_of(k) for k in it.symbols)}",
        " ".join(f"{key}={value}" for key, value in it.settings),
        f"{item.open_positions} open",
    ]
    lines = [line for line in lines if line]
    return [*lines, it.message] if it.message else lines


@command(
    "stop_strategy",
    help="Stop a strategy; close its positions or keep them",
    danger=Danger.REDUCES_RISK,
    usage=STOP_USAGE,
    more="close: leaves the market at once. keep: what is open stays with its stops. Without the word you "
    "are asked; without a name too.",
)
async def stop_strategy(desk: DeskPort, call: Call) -> Reply:
    view = desk.view()
    if not call.args:
        running = [i for i in view.instances if i.instance.status is not InstanceStatus.STOPPED]
        return _which(running, [name for name in desk.starting() if being_started(desk, name)])
    no_more(call.args[2:], STOP_USAGE)
    word = call.args[1].casefold() if len(call.args) > 1 else ""
    if word not in ("", "close", "keep"):
        raise InvalidInput(f"Expected close or keep, was {one_line(word, 40)!r}. Usage: {STOP_USAGE}")
    if being_started(desk, call.args[0]):  # nothing of it can be open
        return await tell(desk, call, StopStrategy(call.args[0].casefold(), close=word == "close"))
    found = instance_called(view, call.args[0])
    name = found.instance.name
    if call.stale and word != "keep":
        # Late: no new entries from it at once, but what is open is not sold on an old word.
        paused = await tell(desk, call, Pause(name))
        return Reply((*paused.blocks, *_close_or_keep(found).blocks), _close_or_keep(found).buttons)
    over = not found.instance.status.alive and not found.open_positions  # its own words say so, unasked
    if word or over:
        return await tell(desk, call, StopStrategy(name, close=word == "close"))
    return _close_or_keep(found)


def _which(running: list[InstanceView], starting: Sequence[str]) -> Reply:
    names = list(dict.fromkeys([*(i.instance.name for i in running), *starting]))
    if not names:
        return say("No strategy is started.")
    buttons = tuple((Button(name, f"/stop_strategy {name}"),) for name in names)
    return Reply((Line("Stop which one?", bold=True),), buttons)


def _close_or_keep(found: InstanceView) -> Reply:
    name = found.instance.name
    return Reply(
        (
            Line(f"Stop {name}?", bold=True),
            Line(f"{found.open_positions} open, {rupees(found.net_today, signed=True)} today."),
        ),
        (
            (Button("Close positions", f"/stop_strategy {name} close", Style.DANGER),),
            (Button("Keep with stops", f"/stop_strategy {name} keep"),),
        ),
    )
