"""The one door into the desk: who, how late, how often, what for, and a line in the audit before and after.

Every transport hands in what it received and shows what comes back. There is no lock: a slow command delays
nobody, and the desk's own queue puts what changes state in order. What reduces risk overtakes, and ends, what
the same person sent just before and the ledger has not noted yet.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from handlers.confidential import has_token, holds_secret, is_code, is_pasted_login, redacted, tells
from handlers.message import Button, Incoming, Kind, Line, Outgoing, Reply, say
from handlers.nonces import Nonces, later_of
from handlers.policy import Policy, Strangers, TellOwner, Timeliness, timeliness
from handlers.registry import Call, Command, Danger, Registry, Role
from handlers.render.figures import ago
from handlers.render.text import clean, one_line
from handlers.troubles import EXPECTED, answer_to, where
from handlers.typed import MESSAGE_LENGTH, Typed, like_a_command, typed
from trader.domain.records import AuditEntry
from trader.domain.times import ist
from trader.service.last_word import LastWord, Pending
from trader.service.port import DeskPort

log = logging.getLogger(__name__)

EXPIRED = "This button has expired or was pressed already: it did nothing now. Look before you send it again."
UNHEARD = {  # where a command of a friend is not run
    Kind.EDITED: "an edited message",
    Kind.FORWARDED: "a forwarded message",
    Kind.OTHER: "what is written with a picture or a file",
}
UNANSWERED = "It could not be delivered in time. It may have been done: see /status before sending it again."
OVERTAKEN = "/{} was not run: {} came right behind it. Send it again if you still want it."
OLD = "That button is old, so it did nothing. This is how things stand now:"
MISPLACED = "That holds a login's token, which is nothing for /{}: send it alone, or behind /login."
SLASH = "Commands begin with a slash. /help lists them."
A_BUTTON = "(a button)"
AUDIT_PATIENCE = 1.0  # seconds a command that reduces risk waits for the ledger before it goes ahead
ANSWER_WITHIN = 60.0  # seconds a handler may take in Telegram; the terminal may wait


@dataclass(frozen=True, slots=True)
class _Asked:
    """An admitted message: who sent it in which role, and the text to act on (a press: its command)."""

    incoming: Incoming
    word: Pending
    role: Role
    text: str
    typed: Typed
    command: Command | None
    seen_before: bool  # accepted once already, but never answered
    old: bool = False  # an old button: only a look

    @property
    def actor(self) -> str:
        incoming = self.incoming
        return "terminal" if incoming.chat_type == "terminal" else f"{self.role} {incoming.user_id}"

    @property
    def misplaced(self) -> bool:
        """A login's token behind a command that is none of the login."""
        return self.command is not None and not self.command.secret and has_token(self.text)

    @property
    def danger(self) -> Danger:
        return self.command.danger if self.command else Danger.READ


class Dispatcher:
    """``tell_owner(title, body)`` is how the owner hears of strangers.

    ``booted_at`` is the wall clock's at the start of this process: whatever was sent before is stale.
    """

    def __init__(
        self,
        registry: Registry,
        desk: DeskPort,
        policy: Policy,
        *,
        booted_at: datetime,
        tell_owner: TellOwner,
        monotonic: Callable[[], float] = time.monotonic,
        answer_within: float = ANSWER_WITHIN,
    ) -> None:
        self._registry = registry
        self._desk = desk
        self._policy = policy
        self._booted_at = booted_at
        self._answer_within = answer_within
        self._nonces = Nonces(monotonic)
        self._in_flight: set[str] = set()
        self._sent = LastWord()  # by person, what has not reached its handler
        self.strangers = Strangers(tell_owner, monotonic)

    def allows(self, incoming: Incoming) -> bool:
        """Whether this may act at all; the only authorisation there is. Fails closed, and an owner whose
        command was not run because of what it stood in hears of it: who sent /kill must not wait for it."""
        try:
            if self._policy.admits(incoming) is not None:
                return True
            role = self._policy.role_of(incoming)
            if role is None:
                self.strangers.note(incoming)
            elif role is Role.OWNER and incoming.chat_type == "private" and incoming.kind in UNHEARD:
                self._say_unheard(incoming)
        except Exception:
            log.exception("authorisation failed; %s refused", incoming.source_id)
        return False

    def _say_unheard(self, incoming: Incoming) -> None:
        found = self._registry.find(typed(incoming.text).name)
        if found is not None:
            why = f"Commands in {UNHEARD[incoming.kind]} are not run. Send it as a new message."
            self.strangers.tell(f"/{found.name} was not run", why)

    def unanswered(self, incoming: Incoming) -> None:
        """Have the owner hear, once that is possible, that an answer to them did not arrive."""
        if self._policy.admits(incoming) is not Role.OWNER:
            return
        found = self._registry.find(typed(incoming.text).name)
        what = "a button" if incoming.kind is Kind.PRESS else f"/{found.name}" if found else "a message"
        at = f"{ist(incoming.sent_at):%H:%M}"
        self.strangers.tell(f"No answer to {what} of {at}", UNANSWERED)

    async def __call__(self, incoming: Incoming) -> Outgoing | None:
        """The answer, or None where silence is the answer."""
        if not self.allows(incoming) or incoming.source_id in self._in_flight:
            return None
        role = self._policy.admits(incoming)
        if role is None:
            return None
        self._in_flight.add(incoming.source_id)
        try:
            with self._sent.pending(str(incoming.user_id)) as word:
                reply = await self._answered_once(incoming, role, word)
        finally:
            self._in_flight.discard(incoming.source_id)
        if reply is None:
            return None
        course = None if reply.course is None else self._course(reply.course(), incoming, role)
        return replace(self._issued(reply, incoming, role), erase=self._erases(incoming), course=course)

    def _issued(self, reply: Reply, incoming: Incoming, role: Role) -> Outgoing:
        shown = self._for_role(reply, role)
        return self._nonces.issue(shown, user_id=incoming.user_id, chat_id=incoming.chat_id)

    async def _course(
        self, replies: AsyncIterator[Reply], incoming: Incoming, role: Role
    ) -> AsyncIterator[Outgoing]:
        """What becomes of an answer; nothing that goes wrong in it reaches the chat as it is."""
        try:
            async for reply in replies:
                yield self._issued(reply, incoming, role)
        except EXPECTED as sentence:
            yield self._issued(answer_to(sentence), incoming, role)
        except Exception:
            fault = secrets.token_hex(3)
            log.exception("the course of %s failed (fault %s)", incoming.source_id, fault)
            yield self._issued(say(f"That failed; the log has it as fault {fault}."), incoming, role)

    def offer(self, user_id: int, reply: Reply) -> Outgoing:
        """An alert's buttons made single-use for one person in the private chat, where ids are alike."""
        role = self._policy.role_of_user(user_id)
        shown = self._for_role(reply, role) if role else replace(reply, buttons=())
        return self._nonces.issue(shown, user_id=user_id, chat_id=user_id)

    def menu(self, user_id: int) -> list[tuple[str, str]]:
        """(command, description) pairs for this person's menu; none for a stranger."""
        role = self._policy.role_of_user(user_id)
        return self._registry.bot_commands(role) if role else []

    # -- one message --------------------------------------------------------------------------------

    async def _answered_once(self, incoming: Incoming, role: Role, word: Pending) -> Reply | None:
        before = await self._audited(incoming.source_id)
        if before is not None and before.outcome:
            return None  # a repeated delivery; it has its answer
        text, old = f"/login {incoming.text}" if is_pasted_login(incoming.text) else incoming.text, False
        if incoming.kind is Kind.PRESS:
            button = self._nonces.take(incoming.text, user_id=incoming.user_id, chat_id=incoming.chat_id)
            text, old = (button.command, False) if button else (self._look(incoming.text), True)
            if not text:
                return await self._expired(incoming, role, word)
        words = typed(text)
        found = self._registry.find(words.name)
        return await self._judged(_Asked(incoming, word, role, text, words, found, before is not None, old))

    def _look(self, pressed: str) -> str:
        """What an old button shows instead of acting. Anybody can make up what a button carries: nothing that
        acts comes out of it, and nothing a viewer might not see."""
        later = later_of(pressed)
        found = self._registry.find(typed(later).name) if later else None
        harmless = found is not None and found.danger is Danger.READ and found.role is Role.VIEWER
        return later if harmless else ""

    def _erases(self, incoming: Incoming) -> bool:
        """Whether the message is to vanish from the chat, whatever became of it."""
        known = self._registry.find(typed(incoming.text).name) is not None
        return incoming.kind is Kind.MESSAGE and holds_secret(incoming.text, known=known)

    async def _judged(self, asked: _Asked) -> Reply | None:
        found = asked.command
        if len(asked.text) > MESSAGE_LENGTH:
            return await self._refused(asked, "unknown", f"I read at most {MESSAGE_LENGTH} characters.")
        if found is None:
            return await self._refused(asked, "unknown", self._unknown(asked))
        if not asked.role.may(found.role):
            return await self._refused(asked, "forbidden", f"/{found.name} is the owner's; you may look.")
        if found.terminal_only and asked.incoming.chat_type != "terminal":
            return await self._refused(asked, "forbidden", f"/{found.name} works in the terminal only.")
        if asked.misplaced and found.danger is not Danger.REDUCES_RISK:  # words behind /kill never matter
            return await self._refused(asked, "misplaced", MISPLACED.format(found.name))
        when = timeliness(asked.incoming, found.danger, self._booted_at)
        if when is Timeliness.DROP:
            await self._audit(asked, "stale", "dropped")
            return None
        if when in (Timeliness.REFUSE, Timeliness.REFUSE_CLOCK):
            return await self._refused(asked, "stale", _too_late(asked, when))
        return await self._run(asked, found, stale=when is Timeliness.RUN_STALE)

    async def _run(self, asked: _Asked, found: Command, *, stale: bool) -> Reply:
        incoming = asked.incoming
        if found.danger is Danger.REDUCES_RISK:
            self._sent.overtake(asked.word.what, f"/{found.name}", before=asked.word)
        if not await self._audit(asked, "accepted") and found.danger is Danger.ADDS_RISK:
            return say(f"The ledger did not take the record of this, so /{found.name} was not run.")
        if found.danger is Danger.ADDS_RISK and asked.word.overtaken:
            return await self._refused(asked, "overtaken", OVERTAKEN.format(found.name, asked.word.overtaken))
        asked.word.told = True
        call = Call(
            args=asked.typed.args,
            raw=asked.typed.raw,
            actor=asked.actor,
            source_id=incoming.source_id,
            role=asked.role,
            confirmed=incoming.kind is Kind.PRESS and not asked.old,
            terminal=incoming.chat_type == "terminal",
            stale=stale,
            age=incoming.received_at - incoming.sent_at,
        )
        reply = await self._guarded(found, call)
        unspoken = asked.misplaced or (found.secret and tells(reply, call.raw))
        kept = "" if unspoken else reply.headline
        await self._audit(asked, "accepted", one_line(kept, 200) or "answered")
        return replace(reply, blocks=(Line(OLD), *reply.blocks)) if asked.old else reply

    async def _guarded(self, found: Command, call: Call) -> Reply:
        """The handler's reply, or a sentence: nothing a handler raises reaches the chat as it is."""
        doubt = "" if found.danger is Danger.READ else " It may or may not have been done: see /status."
        try:
            async with asyncio.timeout(None if call.terminal else self._answer_within):
                return await found.run(self._desk, call)
        except EXPECTED as sentence:
            return answer_to(sentence)
        except TimeoutError:
            log.exception("/%s took more than %g s", found.name, self._answer_within)
            return say(f"/{found.name} has no answer yet.{doubt}")
        except Exception as error:
            fault = secrets.token_hex(3)
            if found.secret:  # the text of whatever went wrong may quote what was typed
                log.error("/%s failed (fault %s): %s", found.name, fault, where(error))  # noqa: TRY400 - a traceback may show what was typed
            else:
                log.exception("/%s failed (fault %s)", found.name, fault)
            return say(f"/{found.name} failed; the log has it as fault {fault}.{doubt}")

    # -- refusals -----------------------------------------------------------------------------------

    async def _refused(self, asked: _Asked, verdict: str, sentence: str) -> Reply:
        await self._audit(asked, verdict, sentence)
        return say(sentence)

    async def _expired(self, incoming: Incoming, role: Role, word: Pending) -> Reply:
        asked = _Asked(incoming, word, role, A_BUTTON, Typed("", "", ()), None, False)
        return await self._refused(asked, "expired", EXPIRED)

    def _unknown(self, asked: _Asked) -> str:
        if is_code(asked.text):
            return "A code alone does nothing. To arm the desk send /live with a new one behind it."
        if not asked.typed.name:
            return self._no_command(asked)
        name = one_line(asked.typed.name, 32)
        near = self._registry.suggest(name) if asked.role is Role.OWNER else None
        return f"There is no /{name}. " + (f"Did you mean /{near}?" if near else "/help lists what there is.")

    def _no_command(self, asked: _Asked) -> str:
        """Only names of commands are repeated: what was typed may be a secret."""
        word = one_line(like_a_command(asked.text), 32)
        known = word if self._registry.find(word) is not None else None
        slashed = clean(asked.text).lstrip().startswith("/")
        if asked.role is not Role.OWNER:
            known = None
        elif slashed and word:
            known = known or self._registry.suggest(word)
        if not slashed:
            return f"Commands begin with a slash: /{known}" if known else SLASH
        return (
            f"That is no command. Did you mean /{known}?"
            if known
            else "That is no command. /help lists them."
        )

    def _for_role(self, reply: Reply, role: Role) -> Reply:
        """Without the buttons this role could not press anyway."""

        def fits(button: Button) -> bool:
            found = self._registry.find(typed(button.command).name)
            return found is not None and role.may(found.role)

        rows = tuple(kept for row in reply.buttons if (kept := tuple(b for b in row if fits(b))))
        return replace(reply, buttons=rows)

    # -- the audit ----------------------------------------------------------------------------------

    async def _audited(self, source_id: str) -> AuditEntry | None:
        try:
            async with asyncio.timeout(AUDIT_PATIENCE):
                return await self._desk.audited(source_id)
        except Exception:
            log.exception("the audit could not be read; %s is taken as new", source_id)
            return None

    async def _audit(self, asked: _Asked, verdict: str, outcome: str = "") -> bool:
        """Whether it was written. A ledger that is down must not stand between the owner and /kill."""
        incoming = asked.incoming
        entry = AuditEntry(
            source_id=incoming.source_id,
            actor=asked.actor,
            text=redacted(_for_the_record(asked)),
            sent_at=incoming.sent_at,
            received_at=incoming.received_at,
            verdict=verdict,
            outcome=redacted(outcome),
        )
        try:
            async with asyncio.timeout(None if asked.danger is Danger.ADDS_RISK else AUDIT_PATIENCE):
                await self._desk.audit(entry)
        except Exception:
            log.exception("no audit of %s from %s", incoming.source_id, asked.actor)
            return False
        return True


def _for_the_record(asked: _Asked) -> str:
    """The text as the audit keeps it: no argument of a secret command, nothing pasted by mistake, and nothing
    behind a command there is not, which may be /login mistyped."""
    if not asked.typed.name:
        return asked.text if asked.text == A_BUTTON else f"(text, {len(asked.text)} characters)"
    if asked.typed.raw and (asked.command is None or asked.command.secret):
        return f"/{one_line(asked.typed.name, 40)} (not recorded)"
    pressed = "pressed: " if asked.incoming.kind is Kind.PRESS else ""
    return pressed + one_line(asked.text, 500)


def _too_late(asked: _Asked, when: Timeliness) -> str:
    name = asked.typed.name
    age: timedelta = asked.incoming.received_at - asked.incoming.sent_at
    if when is Timeliness.REFUSE_CLOCK:
        return f"/{name} was not run: this machine's clock is {ago(-age)} behind Telegram's. Set it first."
    if asked.seen_before:
        return (
            f"/{name}, sent {ago(age)} ago, was being worked on when Munim restarted. It may have been done: "
            "look at /status and /strategies before you send it again."
        )
    return f"/{name} was sent {ago(age)} ago, not run; send again if you still want it."
