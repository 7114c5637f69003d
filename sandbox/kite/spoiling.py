"""Answers gone wrong, as a client on the other end of a bad day gets them (kite.md 2 and 12)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from sandbox.kite.errors import KiteError, oms_down, timed_out, too_many_requests, wrong_address
from sandbox.kite.faults import Fault, Kind

GATEWAY_PAGE = (
    "<html><head><title>{status} Bad Gateway</title></head><body><center>cloudflare</center></body></html>"
)
BARE = "sandbox-no-content-type"  # marks an answer whose Content-Type is to be taken away
Act = Callable[[], Awaitable[web.Response]]


class Spoiler:
    def __init__(self) -> None:
        self._released = asyncio.Event()

    def release(self) -> None:
        """Let go of every call that is held."""
        self._released.set()
        self._released = asyncio.Event()

    async def answer(self, fault: Fault, request: web.Request, act: Act) -> web.StreamResponse:
        """``act`` carries the call out; a refusal of its own comes before the fault."""
        if fault.kind is Kind.SLOW:
            return await self._slow(fault, act)
        if fault.kind is Kind.NO_CONTENT_TYPE:
            response = await act()
            response.headers[BARE] = "1"
            return response
        if fault.kind is Kind.CUT:
            return await _cut(await act(), request, fault.at)
        if fault.accepted:
            await act()
        if fault.kind in {Kind.DROP, Kind.RESET}:
            return hang_up(request)
        return _spoilt(fault, request)

    async def _slow(self, fault: Fault, act: Act) -> web.Response:
        early = await act() if fault.accepted else None
        try:
            async with asyncio.timeout(fault.seconds):
                await self._released.wait()
        except TimeoutError:
            pass
        return early or await act()


def hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def remove_content_type(_: web.BaseRequest, response: web.StreamResponse) -> None:
    """aiohttp adds one by itself; this runs just before the headers go out."""
    if response.headers.pop(BARE, None) is not None:
        response.headers.popall("Content-Type", None)


def _spoilt(fault: Fault, request: web.Request) -> web.Response:
    if fault.kind is Kind.HTML:
        status = fault.status or 502
        return web.Response(text=GATEWAY_PAGE.format(status=status), status=status, content_type="text/html")
    if fault.kind is Kind.EMPTY:
        return web.json_response({"status": "success", "data": {}})
    if fault.kind is Kind.UNTYPED:
        body = {"status": "error", "message": fault.message or "Something went wrong.", "data": None}
        return web.json_response(body, status=fault.status or 500)
    raise _error(fault, request.remote or "?")


def _error(fault: Fault, address: str) -> KiteError:
    if fault.kind is Kind.TIMED_OUT:
        return timed_out()
    if fault.kind is Kind.TOO_MANY:
        return too_many_requests()
    if fault.kind is Kind.ADDRESS:
        return wrong_address(address)
    if fault.kind is Kind.DOWN:
        return oms_down(fault.status or 503)
    return KiteError(fault.status or 500, fault.error_type, fault.message or "Something went wrong.")


async def _cut(whole: web.Response, request: web.Request, at: int) -> web.StreamResponse:
    body = whole.body if isinstance(whole.body, bytes) else b""
    part = web.StreamResponse(status=whole.status, headers={"Content-Type": whole.content_type})
    part.content_length = len(body)
    await part.prepare(request)
    await part.write(body[: min(at, len(body) - 1)])
    if request.transport is not None:
        request.transport.close()
    return part
