"""Lines from a file descriptor without holding up the event loop, whatever is behind it."""

from __future__ import annotations

import asyncio
import codecs
import os
from collections.abc import AsyncIterator

_CHUNK = 65_536
_LONGEST = 65_536  # characters; a longer "line" is binary data, handed on in pieces


async def lines_of(descriptor: int) -> AsyncIterator[str]:
    """Each line without its end, the last one also without a newline behind it. Bytes that are no UTF-8
    become replacement characters. No thread is used: one stuck in a read would outlive the loop."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    pending = ""
    while chunk := await _read(descriptor):
        *whole, pending = (pending + decode(chunk)).split("\n")
        for line in whole:
            yield line.removesuffix("\r")
        if len(pending) > _LONGEST:
            yield pending
            pending = ""
    if rest := pending + decode(b"", final=True):
        yield rest.removesuffix("\r")


async def _read(descriptor: int) -> bytes:
    """The next bytes, empty at the end."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    try:
        loop.add_reader(descriptor, _resolve, ready)
    except OSError:
        # epoll takes neither regular files nor /dev/null (EPERM); their reads do not wait for anybody.
        await asyncio.sleep(0)
        return os.read(descriptor, _CHUNK)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, _CHUNK)


def _resolve(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
