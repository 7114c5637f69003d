"""/login and /logout: the session at the broker."""

from __future__ import annotations

from handlers.common import is_live, tag_of
from handlers.message import Button, Line, Link, Reply, Style, say
from handlers.registry import Call, Danger, command
from handlers.render.figures import ago
from handlers.troubles import EXPECTED
from handlers.typed import no_more
from trader.domain.counting import counted
from trader.domain.errors import MunimError
from trader.service.port import AccountPort, DeskPort

LOGIN_USAGE = "/login [address or token]"


@command(
    "login",
    help="Begin the broker's session for today",
    # Without a session nothing can be closed: a ledger that is down must not stand in the way of one.
    danger=Danger.REDUCES_RISK,
    usage=LOGIN_USAGE,
    secret=True,
    more="Alone, the desk logs in by itself if it has what it needs, or shows where to. The browser ends at "
    "an address with request_token in it: send that whole address, with or without /login. It is good once, "
    "and your message is taken out of the chat after use.",
)
async def login(desk: DeskPort, call: Call) -> Reply:
    account = desk.account()
    if call.stale:
        # A token lives for minutes, and a login ends every other session: neither is wanted of an old word.
        return _by_link(account, f"This /login was sent {ago(call.age)} ago and was not used.")
    try:
        return say(*(await account.login(call.raw)).splitlines())
    except EXPECTED as refused:
        return _by_link(account, str(refused))


def _by_link(account: AccountPort, why: str) -> Reply:
    try:
        link = account.link()
    except MunimError as none:  # nothing to log in with: that is the whole answer
        return say(*str(none).splitlines())
    lines = [Line(text) for text in why.splitlines() if text.strip() and link not in text]
    return Reply(
        (
            *lines,
            Line("To log in", bold=True),
            Line("1. Open the link and log in to the end."),
            Line(
                "2. The browser ends at an address with request_token=… in it, often on an empty page or an "
                "error. Copy the whole address and paste it here. Where the chat allows, your message is "
                "taken out of it after use."
            ),
        ),
        links=(Link("Log in at the broker", link),),
    )


@command(
    "logout",
    help="End the broker's session",
    danger=Danger.ADDS_RISK,  # without a session the desk can neither move a stop nor close anything
    more="You are asked first. Stops that rest at the broker stay there.",
)
async def logout(desk: DeskPort, call: Call) -> Reply:
    no_more(call.args, "/logout")
    account = desk.account()
    if call.confirmed:
        return say(*(await account.logout()).splitlines())
    open_ = len(desk.view().positions)
    blocks = [Line(f"{tag_of(desk)} · log out of the broker?", bold=True)]
    if open_ and is_live(desk.about()):
        blocks.append(
            Line(
                f"{counted(open_, 'position')} open: stops that rest at the broker stay there, but without a "
                "session the desk can neither move them nor close anything, not even by /kill."
            )
        )
    blocks.append(Line("Without a session there are no prices and no orders until /login."))
    return Reply(blocks, ((Button("Log out", "/logout", Style.DANGER), Button("Stay", "/status")),))
