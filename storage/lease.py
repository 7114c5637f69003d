"""One desk per ledger, also where two of them run on different machines.

On PostgreSQL the session that writes holds a lock of the database. Nothing is written without it, and nothing
is sent that was not written: so a second desk, of an overlapping deployment or a forgotten machine, cannot
trade, and one that lost its session cannot go on while another has taken over. No clock takes part: the
server ends the lock with the session.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from trader.domain.errors import AlreadyRunning
from trader.domain.times import clock_text, date_short

KEY = int.from_bytes(b"munim", "big")
AGAIN = 0.2  # seconds

_TAKE = text("SELECT pg_try_advisory_lock(:key)")
_OURS = text("SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")
# A session of ours whose connection broke lives on until the server notices, hours later at worst.
_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = :pid AND backend_start = :began"
)
_HOLDER = text(
    "SELECT a.application_name, host(a.client_addr), a.backend_start FROM pg_locks l"
    " JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted"
    " AND (l.classid::bigint << 32) + l.objid::bigint = :key"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class Lease:
    """``wait``: seconds to wait for another desk to leave."""

    def __init__(self, wait: float) -> None:
        self._wait = wait
        self._ours: tuple[int, datetime] | None = None  # the session that had it last: its process, its start

    async def take(self, connection: AsyncConnection) -> None:
        """For as long as the connection's session lives. Raises AlreadyRunning."""
        until = time.monotonic() + self._wait
        while not (await connection.execute(_TAKE, {"key": KEY})).scalar():
            if self._ours is not None:
                await connection.execute(_END, {"pid": self._ours[0], "began": self._ours[1]})
            if time.monotonic() >= until:
                raise AlreadyRunning(await self._words(connection))
            await connection.commit()
            await asyncio.sleep(AGAIN)
        pid, began = (await connection.execute(_OURS)).one()
        self._ours = (pid, began)
        await connection.commit()

    async def _words(self, connection: AsyncConnection) -> str:
        holder = (await connection.execute(_HOLDER, {"key": KEY})).first()
        who = ""
        if holder is not None:
            name, address, began = holder
            place = f" at {address}" if address else ""
            who = f" ({name or 'unnamed'}{place}, since {date_short(began)} {clock_text(began)})"
        return f"Another Munim{who} writes to this ledger. Stop it: two would trade one account."
