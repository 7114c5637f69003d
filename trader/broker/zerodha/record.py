"""What outlives the process: the login, and how often Munim has tried to log in by itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from trader.broker.zerodha.attempts import Attempts
from trader.domain.times import IST, ist

TOKENS_END = time(6, 0)  # every access token, by regulation (kite.md 1.3)


@dataclass(frozen=True, slots=True)
class Login:
    user_id: str
    access_token: str = field(repr=False)
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """``logged_out``: by the owner, who alone logs in again."""

    login: Login | None = None
    attempts: Attempts = field(default_factory=Attempts)
    logged_out: bool = False

    def to_text(self) -> str:
        """Secret: to be encrypted."""
        kept = {
            "login": self.login and asdict(self.login),
            "attempts": asdict(self.attempts),
            "logged_out": self.logged_out,
        }
        return json.dumps(kept, default=str)

    @classmethod
    def of_text(cls, text: str | None) -> Record:
        """What another version wrote may not be readable: then nothing is known, and a login is needed."""
        if text is None:
            return cls()
        try:
            kept: dict[str, Any] = json.loads(text)
            login, attempts = _login(kept["login"]), Attempts(**kept["attempts"])
            return cls(login, attempts, kept.get("logged_out", False))  # a version before it did not know
        except (ValueError, KeyError, TypeError):
            return cls()


def end_of_token(since: datetime) -> datetime:
    """The first 06:00 IST after a login."""
    end = datetime.combine(ist(since).date(), TOKENS_END, IST)
    return end if end > since else end + timedelta(days=1)


def _login(kept: dict[str, str] | None) -> Login | None:
    if kept is None:
        return None
    times = [ist(datetime.fromisoformat(kept[name])) for name in ("since", "until")]
    return Login(kept["user_id"], kept["access_token"], *times)
