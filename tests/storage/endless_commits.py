"""Commits until it is killed, telling on stdout what is done: ``python endless_commits.py <file>``."""

from __future__ import annotations

import asyncio
import sys

import ledger_samples as sample

from storage.ledger import SqlLedger
from trader.domain.records import Record


def batch(number: int) -> list[Record]:
    """Four kinds that belong together; the test asks for all of them or none."""
    name = f"n{number}"
    return [sample.order(name), sample.event(name), sample.fill(name), sample.alert(name)]


async def main(path: str) -> None:
    ledger = SqlLedger(f"sqlite:///{path}")
    await ledger.open()
    number = 0
    while True:
        number += 1
        await ledger.commit(batch(number))
        print(number, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
