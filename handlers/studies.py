"""/backtest, /optimize, /walkforward, /montecarlo and what belongs to them. The work is done elsewhere; one
message tells how far it is, and becomes the result."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from handlers.message import Block, Button, Line, Pre, Reply, Style, say
from handlers.registry import Call, Danger, Role, command
from handlers.render.table import ends, table
from handlers.render.text import WIDTH, one_line, wrap
from handlers.typed import no_more, plain_digits
from trader.domain.errors import InvalidInput
from trader.domain.times import clock_text, day_text
from trader.service.port import DeskPort
from trader.service.research import Job, JobState
from trader.service.studies import BACKTEST, MONTECARLO, OPTIMIZE, WALKFORWARD

_BAR = 20  # columns
_NOTES = 7  # sentences below a result; the page has all
_LISTED = 8
_LINE = 400


@command(
    "backtest",
    help="Test a strategy on past candles, charges and limits included",
    danger=Danger.READ,
    usage=BACKTEST,
    aliases=("bt",),
    more="For instance /backtest ema_crossover RELIANCE 5m 90d fast=9 slow=21. Spans are 90d, 12w, 6mo, 2y "
    "or two days, 2026-01-01..2026-06-30. The desk's own limits and charges apply; capital=500000 and "
    "slippage=0.05 (in %) change them for this test. It runs beside the desk, which does not wait for it.",
)
async def backtest(desk: DeskPort, call: Call) -> Reply:
    job = await desk.studies().backtest(_words(call.raw))
    return _begun(desk, job, call)


@command(
    "optimize",
    help="Search a strategy's settings, and doubt what is found",
    danger=Danger.READ,
    usage=OPTIMIZE,
    aliases=("optimise",),
    more="For instance /optimize ema_crossover RELIANCE 5m 1y fast=5:20:1 slow=20:60:5. goal= is the figure "
    "to search by (sharpe unless given), where=trades>=50;drawdown<=10 bounds, trials= how many to try. The "
    "last quarter of the days is kept from the search and shows what the best settings did on days they were "
    "not chosen for. The same line again goes on where it stopped.",
)
async def optimize(desk: DeskPort, call: Call) -> Reply:
    job = await desk.studies().optimize(_words(call.raw))
    return _begun(desk, job, call)


@command(
    "walkforward",
    help="Search some days, trade the next with what was found, move on",
    danger=Danger.READ,
    usage=WALKFORWARD,
    aliases=("wf",),
    more="For instance /walkforward supertrend SBIN 15m 1y period=7,10,14 width=2:5:1 train=120 test=20: "
    "every 120 trading days are searched and the 20 after them traded. All that was traded so is one result. "
    "anchored=yes lets every search begin on the first day; goal=, where= and trials= are as in /optimize.",
)
async def walkforward(desk: DeskPort, call: Call) -> Reply:
    job = await desk.studies().walkforward(_words(call.raw))
    return _begun(desk, job, call)


@command(
    "montecarlo",
    help="What else might have come of a kept result",
    danger=Danger.READ,
    usage=MONTECARLO,
    aliases=("mc",),
    more="For instance /montecarlo 1, of the newest result; /backtests numbers them. Its trades are drawn "
    "anew 2,000 times, or only put in another order (order=shuffle); noise=20 tests again on candles moved "
    "by 20% of their usual range.",
)
async def montecarlo(desk: DeskPort, call: Call) -> Reply:
    job = await desk.studies().montecarlo(_words(call.raw))
    return _begun(desk, job, call)


@command(
    "jobs",
    help="Backtests and searches that run, wait or have ended",
    danger=Danger.READ,
)
async def jobs(desk: DeskPort, call: Call) -> Reply:
    no_more(call.args, "/jobs")
    found = desk.studies().jobs()
    if not found:
        return say("Nothing was tested since the start. /backtests lists what was kept.")
    rows = [[str(job.number), job.title, job.state.value] for job in found[:_LISTED]]
    why = [[line for line in (job.about, job.trouble) if line] for job in found[:_LISTED]]
    buttons = [[_cancel(job)] for job in found if not job.state.over]
    shown = table(rows, ("Nr", "What", ""), "><<", details=why)
    return Reply((Line("Jobs", bold=True), Pre(shown)), buttons)


@command(
    "cancel_job",
    help="End a backtest or search",
    danger=Danger.READ,
    usage="/cancel_job NUMBER",
)
async def cancel_job(desk: DeskPort, call: Call) -> Reply:
    text = " ".join(call.args)
    plain_digits("number", text)
    if not text.isdecimal():
        raise InvalidInput("Expected a number: /cancel_job 3. /jobs lists them.")
    job = desk.studies().cancel(int(text))
    return say(f"Job {job.number}, {job.title}: {job.state.value}.")


@command(
    "backtests",
    help="Results that were kept, or two or three of them side by side",
    role=Role.VIEWER,
    danger=Danger.READ,
    usage="/backtests [NUMBER NUMBER …]",
    more="1 is the newest: /backtests 1 2 shows the newest two side by side. An id, or the beginning or end "
    "of one that no other has, will do as well. Each result is a folder under DATA_DIR/backtests with "
    "page.html, trades.csv and picture.png.",
)
async def backtests(desk: DeskPort, call: Call) -> Reply:
    studies = desk.studies()
    if call.args:
        compared = await studies.compare(call.args)
        (_, *ids), *rows = compared.rows
        lines = [
            line
            for name, *values in rows
            for line in (name, *(part for value in values for part in _indented(value)))
        ]
        return Reply(
            (
                Line("Side by side", bold=True),
                *map(Line, ids),  # as long as they are, to be copied
                Pre("\n".join(lines)),
                *map(Line, compared.notes),
            )
        )
    from trader.backtest.report.words import percent

    listing = await studies.kept()
    if not listing.entries:
        return say("No result was kept yet. /backtest makes one.", *listing.damaged)
    blocks: list[Block] = [Line("Kept results", bold=True)]
    for number, entry in enumerate(listing.entries[:_LISTED], 1):
        share = entry.numbers.get("return", float("nan"))
        made = f"{day_text(entry.made_at.date())} {clock_text(entry.made_at)}"
        told = (
            ends(f"{number} {entry.title}", percent(share, signed=True)),
            *_indented(entry.about),
            *_indented(made),
        )
        blocks.append(Pre("\n".join(told)))
        blocks.append(Line(entry.id))
    return Reply((*blocks, *map(Line, listing.damaged)))


def _indented(text: str) -> list[str]:
    return [f" {line}" for line in wrap(text, WIDTH - 1)]


def _words(raw: str) -> list[str]:
    words = one_line(raw, _LINE).split()
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            plain_digits(name, value)
    return words


def _begun(desk: DeskPort, job: Job, call: Call) -> Reply:
    course = partial(_course, desk, job, terminal=call.terminal)
    return Reply(
        (Line(f"{job.number}. {job.title}", bold=True), Line(_how_far(job))),
        ((_cancel(job),),),
        course=course,
    )


def _cancel(job: Job) -> Button:
    return Button(f"Cancel {job.number}", f"/cancel_job {job.number}", Style.DANGER)


async def _course(desk: DeskPort, job: Job, *, terminal: bool) -> AsyncIterator[Reply]:
    step = _step(job)  # as the answer to the command has it
    async for at in desk.studies().follow(job):
        head = Line(f"{at.number}. {at.title}", bold=True)
        if not at.state.over and terminal:
            # Here nothing is written over: a line for each step, not for each look.
            if (now := _step(at)) != step:
                step = now
                yield Reply((Line(f"{at.number}. {at.title}: {now}"),))
        elif not at.state.over:
            yield Reply((head, *_progress(at)), ((_cancel(at),),))
        elif at.state is JobState.DONE:
            if not terminal:
                yield Reply((head, Line("Done; the result is below.")))
            yield await _result(desk, at, terminal=terminal)
        elif at.state is JobState.FAILED:
            yield Reply((head, Line(at.trouble)))
        else:
            yield Reply((head, Line("Cancelled.")))


def _step(job: Job) -> str:
    """How far it is in tenths, or what it does."""
    if not job.total:
        return _how_far(job)
    return f"{10 * (10 * min(job.done, job.total) // job.total)}% of {job.total:,}"


def _progress(job: Job) -> list[Block]:
    if not job.total:
        return [Line(_how_far(job))]
    share = min(job.done / job.total, 1.0)
    filled = round(share * _BAR)
    bar = f"{'█' * filled}{'░' * (_BAR - filled)} {share:4.0%}"
    return [Pre(bar), Line(f"{job.done:,} of {job.total:,} · {job.text}")]


def _how_far(job: Job) -> str:
    if job.state is JobState.WAITING and not job.text:
        return "Waiting for the one before it."
    return f"{job.text.capitalize()}…" if job.text else "Starting…"


async def _result(desk: DeskPort, job: Job, *, terminal: bool) -> Reply:
    from trader.backtest.work import Outcome

    found = Outcome.read(job.result)
    blocks: list[Block] = [Line(found.title, bold=True), Line(found.about)]
    if found.best:
        blocks.append(Pre("\n".join(ends(name, value).rstrip() for name, value in found.best)))
    blocks.append(Pre("\n".join(ends(name, value) for name, value in found.rows)))
    blocks += [Line(note) for note in found.notes[:_NOTES]]
    if (more := len(found.notes) - _NOTES) > 0:
        blocks.append(Line(f"{more} more on the page."))
    if terminal:
        blocks.append(Line(f"Report: {found.folder}/page.html"))
        blocks.append(Line(f"Picture: {found.pictures[0]}"))
    blocks.append(Line(f"Kept as {found.id}"))
    picture = None if terminal else await desk.studies().picture(found.pictures[0])
    return Reply(blocks, picture=picture)
