"""Telegram's updates in our words."""

from __future__ import annotations

from datetime import datetime

from telegram import CallbackQuery, Message, Update

from handlers.message import Incoming, Kind

PRESS_PREFIX = "k:"  # callback data is "k:<nonce>"; Telegram allows 64 bytes


def read_update(update: Update, received_at: datetime) -> Incoming | None:
    """None when nobody sent it (channel posts, polls)."""
    user, chat = update.effective_user, update.effective_chat
    if user is None or chat is None:
        return None
    kind, text, sent_at = _content(update, received_at)
    return Incoming(
        source_id=f"tg:{update.update_id}",
        kind=kind,
        user_id=user.id,
        user_name=user.full_name,
        chat_id=chat.id,
        chat_type=str(chat.type),
        text=text,
        sent_at=sent_at,
        received_at=received_at,
    )


def _content(update: Update, received_at: datetime) -> tuple[Kind, str, datetime]:
    if update.callback_query is not None:
        return Kind.PRESS, nonce_of(update.callback_query), received_at
    if update.edited_message is not None:
        edited = update.edited_message
        return Kind.EDITED, edited.text or "", edited.edit_date or edited.date
    if update.message is not None and update.message.text is not None:
        forwarded = update.message.forward_origin is not None
        return Kind.FORWARDED if forwarded else Kind.MESSAGE, update.message.text, update.message.date
    shown = update.effective_message
    if not isinstance(shown, Message):
        return Kind.OTHER, "", received_at
    return Kind.OTHER, shown.caption or "", shown.date


def nonce_of(query: CallbackQuery) -> str:
    """Empty for a button that is none of ours: the dispatcher knows no such nonce."""
    data = query.data or ""
    return data.removeprefix(PRESS_PREFIX) if data.startswith(PRESS_PREFIX) else ""
