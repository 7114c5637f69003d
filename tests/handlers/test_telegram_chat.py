"""Round trips: a person types or presses, the real library carries it, the chat shows the answer."""

from __future__ import annotations

import asyncio
import struct
import zlib
from datetime import UTC, datetime, timedelta

from telegram_world import OWNER, STRANGER, VIEWER, confirm, world

from handlers.message import Kind, Line, Outgoing, Pre, Reply, say


def png() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


async def test_a_command_is_heard_and_answered() -> None:
    sent_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    async with world() as w:
        update_id = w.server.say(OWNER, "/status", date=sent_at, name="Asha")
        await w.server.wait_for_text(OWNER, "echo /status")
    [incoming] = w.dispatch.seen
    assert (incoming.source_id, incoming.kind, incoming.text) == (f"tg:{update_id}", Kind.MESSAGE, "/status")
    assert (incoming.user_id, incoming.user_name, incoming.chat_type) == (OWNER, "Asha", "private")
    assert incoming.sent_at == sent_at
    assert incoming.received_at - sent_at >= timedelta(hours=2)


async def test_markup_in_a_reply_is_shown_not_obeyed() -> None:
    async with world() as w:
        blocks = [Line("P&L <up>", bold=True), Line("a < b & c"), Pre("NIFTY <25000>\n  1 & 2")]
        w.dispatch.answers["/pnl"] = Outgoing(Reply(blocks))
        w.server.say(OWNER, "/pnl")
        shown = await w.server.wait_for_text(OWNER, "P&L")
    assert shown.text == "P&L <up>\na < b & c\nNIFTY <25000>\n  1 & 2"
    assert [entity["type"] for entity in shown.entities] == ["bold", "pre"]


async def test_a_long_report_arrives_whole_in_several_messages_with_the_buttons_below_the_last() -> None:
    table = "\n".join(f"{n:4} RELIANCE   +1,234.50" for n in range(400))
    async with world() as w:
        outgoing = confirm("aaaaaaaa", "bbbbbbbb")
        w.dispatch.answers["/report"] = Outgoing(Reply([Pre(table)], outgoing.reply.buttons), outgoing.nonces)
        w.server.say(OWNER, "/report")
        await w.server.wait_for_text(OWNER, " 399 RELIANCE")
        shown = w.server.replies(OWNER)
    assert "\n".join(message.text for message in shown) == table
    assert [bool(message.keyboard) for message in shown] == [False] * (len(shown) - 1) + [True]
    assert all([entity["type"] for entity in message.entities] == ["pre"] for message in shown)


async def test_what_telegram_cannot_parse_goes_out_plain() -> None:
    async with world() as w:
        w.server.fail("sendMessage", 400, description="Bad Request: can't parse entities: whatever")
        w.dispatch.answers["/x"] = Outgoing(Reply([Line("a < b", bold=True)]))
        w.server.say(OWNER, "/x")
        shown = await w.server.wait_for_text(OWNER, "a < b")
        assert shown.entities == []
        assert w.server.count("sendMessage") == 2


async def test_a_picture_carries_its_text_as_caption() -> None:
    async with world() as w:
        w.dispatch.answers["/chart"] = Outgoing(Reply([Line("Equity", bold=True)], (), png()))
        w.server.say(OWNER, "/chart")
        shown = await w.server.wait_for_text(OWNER, "Equity")
    assert shown.photo == png()


async def test_a_press_turns_the_message_into_the_outcome_and_takes_the_keyboard_away() -> None:
    async with world() as w:
        w.dispatch.answers["/kill"] = confirm("aaaaaaaa", "bbbbbbbb")
        w.dispatch.answers["aaaaaaaa"] = Outgoing(say("FLAT verified 09:41:07"))
        w.server.say(OWNER, "/kill")
        asked = await w.server.wait_for_text(OWNER, "Flatten 3")
        assert [(b.label, b.data, b.style) for b in asked.keyboard[0]] == [
            ("Flatten", "k:aaaaaaaa", "danger"),
            ("Keep", "k:bbbbbbbb", ""),
        ]
        w.server.press(asked.message_id, "Flatten")
        await w.server.wait_for_text(OWNER, "FLAT verified")
        [shown] = w.server.replies(OWNER)
        assert (shown.text, shown.keyboard, shown.message_id) == (
            "FLAT verified 09:41:07",
            (),
            asked.message_id,
        )
    press = w.dispatch.seen[-1]
    assert (press.kind, press.text, press.user_id) == (Kind.PRESS, "aaaaaaaa", OWNER)
    methods = [call.method for call in w.server.calls]
    assert methods.index("answerCallbackQuery") < methods.index("editMessageText")


async def test_a_second_press_is_passed_on_but_does_not_overwrite_the_outcome_of_the_first() -> None:
    async with world() as w:
        w.dispatch.answers["/kill"] = confirm("aaaaaaaa", "bbbbbbbb")
        w.dispatch.answers["aaaaaaaa"] = Outgoing(say("FLAT verified"))
        w.dispatch.answers["bbbbbbbb"] = Outgoing(say("This button has been used"))
        release = asyncio.Event()
        w.dispatch.slow["aaaaaaaa"] = release.wait
        w.server.say(OWNER, "/kill")
        asked = await w.server.wait_for_text(OWNER, "Flatten 3")
        w.server.press(asked.message_id, "Flatten")
        w.server.press(asked.message_id, "Keep")
        await w.server.wait_for_text(OWNER, "has been used")
        release.set()
        await w.server.wait_for_text(OWNER, "FLAT verified")
        assert w.server.texts(OWNER) == ["FLAT verified", "This button has been used"]
    assert w.dispatch.texts(Kind.PRESS) == ["aaaaaaaa", "bbbbbbbb"]


async def test_a_late_press_of_replaced_buttons_leaves_the_new_ones_alone() -> None:
    async with world() as w:
        w.dispatch.answers["/kill"] = confirm("aaaaaaaa", "bbbbbbbb")
        w.dispatch.answers["aaaaaaaa"] = confirm("cccccccc", "dddddddd")
        w.server.say(OWNER, "/kill")
        asked = await w.server.wait_for_text(OWNER, "Flatten 3")
        w.server.press(asked.message_id, "k:aaaaaaaa")
        await w.server.wait_for(lambda: asked.edits == 1)
        w.server.press(asked.message_id, "k:bbbbbbbb", lagging=True)
        await w.server.wait_for_text(OWNER, "echo bbbbbbbb")
        assert [button.data for button in asked.keyboard[0]] == ["k:cccccccc", "k:dddddddd"]


async def test_somebody_elses_press_is_passed_on_as_theirs_and_leaves_the_message_alone() -> None:
    async with world() as w:
        w.dispatch.answers["/kill"] = confirm("aaaaaaaa", "bbbbbbbb")
        w.server.say(OWNER, "/kill")
        asked = await w.server.wait_for_text(OWNER, "Flatten 3")
        w.server.press(asked.message_id, "Flatten", VIEWER)
        await w.server.wait_for_text(OWNER, "echo aaaaaaaa")
        assert w.server.texts(OWNER) == ["Flatten 3 positions?", "echo aaaaaaaa"]
        assert asked.keyboard
    assert (w.dispatch.seen[-1].user_id, w.dispatch.seen[-1].text) == (VIEWER, "aaaaaaaa")


async def test_a_button_from_before_a_restart_leaves_the_old_text_and_loses_its_keyboard() -> None:
    async with world() as w:
        w.dispatch.answers["/kill"] = confirm("aaaaaaaa", "bbbbbbbb")
        w.server.say(OWNER, "/kill")
        asked = await w.server.wait_for_text(OWNER, "Flatten 3")
        await w.end()
        w.start()
        w.dispatch.answers["aaaaaaaa"] = Outgoing(say("This button has expired"))
        w.server.press(asked.message_id, "Flatten")
        await w.server.wait_for_text(OWNER, "has expired")
        assert w.server.texts(OWNER) == ["Flatten 3 positions?", "This button has expired"]
        assert asked.keyboard == ()


async def test_a_press_too_old_to_acknowledge_reaches_the_dispatcher_as_old_and_is_answered() -> None:
    async with world() as w:
        w.dispatch.answers["/kill"] = confirm("aaaaaaaa", "bbbbbbbb")
        w.dispatch.answers["aaaaaaaa"] = Outgoing(say("Too late"))
        w.server.say(OWNER, "/kill")
        asked = await w.server.wait_for_text(OWNER, "Flatten 3")
        w.server.press(asked.message_id, "Flatten", expired=True)
        await w.server.wait_for_text(OWNER, "Too late")
    press = w.dispatch.seen[-1]
    assert press.received_at - press.sent_at == timedelta(seconds=150)


async def test_a_press_that_cannot_be_acknowledged_for_want_of_a_network_still_counts_as_fresh() -> None:
    async with world() as w:
        w.dispatch.answers["/kill"] = confirm("aaaaaaaa", "bbbbbbbb")
        w.server.say(OWNER, "/kill")
        asked = await w.server.wait_for_text(OWNER, "Flatten 3")
        w.server.hang("answerCallbackQuery")
        w.server.press(asked.message_id, "Flatten")
        await w.server.wait_for_text(OWNER, "echo aaaaaaaa")
    assert w.dispatch.seen[-1].sent_at == w.dispatch.seen[-1].received_at


async def test_an_edit_that_changes_nothing_is_no_error() -> None:
    async with world() as w:
        w.dispatch.answers["/kill"] = confirm("aaaaaaaa", "bbbbbbbb")
        w.dispatch.answers["aaaaaaaa"] = confirm("aaaaaaaa", "bbbbbbbb")
        w.server.say(OWNER, "/kill")
        asked = await w.server.wait_for_text(OWNER, "Flatten 3")
        w.server.press(asked.message_id, "Flatten")
        await w.server.wait_for(lambda: w.server.count("editMessageText") == 1)
        await w.echoes("/next")
        assert w.server.texts(OWNER) == ["Flatten 3 positions?", "echo /next"]
        assert w.server.count("editMessageText") == 1


async def test_the_outcome_becomes_a_new_message_when_the_pressed_one_is_gone() -> None:
    async with world() as w:
        w.dispatch.answers["/kill"] = confirm("aaaaaaaa", "bbbbbbbb")
        w.server.say(OWNER, "/kill")
        asked = await w.server.wait_for_text(OWNER, "Flatten 3")
        w.server.press(asked.message_id, "Flatten")
        w.server.remove(asked.message_id)
        assert (await w.server.wait_for_text(OWNER, "echo aaaaaaaa")).message_id != asked.message_id


async def test_a_stranger_gets_silence_and_is_noticed() -> None:
    async with world() as w:
        w.server.say(STRANGER, "/kill")
        w.server.say(OWNER, "/kill", chat=-100)  # the right person in a group, among others
        await w.server.wait_for(lambda: w.server.updates.waiting == 0)
        await w.echoes("/status")
        assert w.server.replies(STRANGER) == []
    assert w.dispatch.texts() == ["/status"]
    assert [(refused.user_id, refused.text) for refused in w.refused] == [
        (STRANGER, "/kill"),
        (OWNER, "/kill"),
    ]


async def test_a_strangers_press_never_reaches_the_dispatcher() -> None:
    async with world() as w:
        w.dispatch.answers["/kill"] = confirm("aaaaaaaa", "bbbbbbbb")
        w.server.say(OWNER, "/kill")
        asked = await w.server.wait_for_text(OWNER, "Flatten 3")
        w.server.press(asked.message_id, "Flatten", STRANGER)
        await w.echoes("/status")
        assert w.server.count("answerCallbackQuery") == 0
        assert asked.text == "Flatten 3 positions?"
    assert w.dispatch.texts(Kind.PRESS) == []
    assert [(refused.user_id, refused.kind) for refused in w.refused] == [(STRANGER, Kind.PRESS)]


async def test_a_policy_that_fails_refuses_everybody_and_kills_nothing() -> None:
    async with world() as w:
        await w.echoes("/first")
        w.dispatch.broken_gate = True
        w.server.say(OWNER, "/kill")
        await w.server.wait_for(lambda: len(w.dispatch.asked) == 2)
        w.dispatch.broken_gate = False
        await w.echoes("/second")
    assert w.dispatch.texts() == ["/first", "/second"]


async def test_the_user_filter_holds_even_if_the_policy_lets_everybody_in() -> None:
    async with world() as w:
        w.dispatch.allows = lambda incoming: True
        w.dispatch.answers["/kill"] = confirm("aaaaaaaa", "bbbbbbbb")
        w.server.say(STRANGER, "/kill")
        w.server.say(OWNER, "/kill")
        asked = await w.server.wait_for_text(OWNER, "Flatten 3")
        w.server.press(asked.message_id, "Flatten", STRANGER)
        await w.echoes("/status")
    assert [incoming.user_id for incoming in w.dispatch.seen] == [OWNER, OWNER]


async def test_edited_and_forwarded_commands_arrive_as_what_they_are() -> None:
    async with world() as w:
        w.server.say(OWNER, "hello")
        first = w.server.last(OWNER)
        await w.server.wait_for_text(OWNER, "echo hello")
        w.server.edit(first.message_id, "/kill")
        w.server.say(OWNER, "/kill all", forwarded=True)
        await w.server.wait_for_text(OWNER, "echo /kill all")
    kinds = [(incoming.kind, incoming.text) for incoming in w.dispatch.seen]
    assert kinds == [(Kind.MESSAGE, "hello"), (Kind.EDITED, "/kill"), (Kind.FORWARDED, "/kill all")]


async def test_an_update_delivered_twice_carries_the_same_source_id() -> None:
    async with world() as w:
        update_id = w.server.say(OWNER, "/buy")
        await w.server.wait_for_text(OWNER, "echo /buy")
        w.server.resend(update_id)
        await w.server.wait_for(lambda: len(w.dispatch.seen) == 2)
    assert [incoming.source_id for incoming in w.dispatch.seen] == [f"tg:{update_id}"] * 2


async def test_ten_slow_commands_do_not_hold_up_a_kill() -> None:
    async with world() as w:
        release = asyncio.Event()
        w.dispatch.slow["/report"] = release.wait
        for _ in range(10):
            w.server.say(OWNER, "/report")
        await w.server.wait_for(lambda: len(w.dispatch.seen) == 10)
        await w.echoes("/kill")
        assert w.server.texts(OWNER) == ["echo /kill"]
        release.set()
        await w.server.wait_for(lambda: len(w.server.replies(OWNER)) == 11)


async def test_a_command_that_fails_is_answered_without_the_reason() -> None:
    async def explode() -> None:
        raise RuntimeError("secret 123456:ABC")

    async with world() as w:
        w.dispatch.slow["/boom"] = explode
        w.server.say(OWNER, "/boom")
        shown = await w.server.wait_for_text(OWNER, "Something went wrong inside")
    assert "secret" not in shown.text


async def test_each_known_person_gets_a_menu_as_soon_as_telegram_allows() -> None:
    async with world(menu=lambda user: [("kill", f"Stop everything, {user}")]) as w:
        w.server.strangers_to_bot.add(VIEWER)  # has not pressed Start
        owner_scope = f'{{"chat_id": {OWNER}, "type": "chat"}}'
        viewer_scope = f'{{"chat_id": {VIEWER}, "type": "chat"}}'
        await w.server.wait_for(lambda: owner_scope in w.server.methods.commands)
        w.server.say(VIEWER, "/start")
        await w.server.wait_for(lambda: viewer_scope in w.server.methods.commands)
        assert w.server.methods.commands[owner_scope] == [
            {"command": "kill", "description": f"Stop everything, {OWNER}"}
        ]
        assert '{"type": "default"}' not in w.server.methods.commands
