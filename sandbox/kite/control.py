"""Levers over HTTP, for a rehearsal in which the sandbox is another process: /sandbox/…"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sandbox.kite.errors import KiteError
from sandbox.kite.faults import Fault
from sandbox.kite.world import World


class Control:
    """Takes JSON objects whose fields are the arguments of the Python call of the same name."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/sandbox/fault", self._fault),
            web.get("/sandbox/fault", self._faults),
            web.delete("/sandbox/fault", self._clear),
            web.post("/sandbox/price", self._price),
            web.post("/sandbox/order", self._order),
            web.post("/sandbox/cancel", self._cancel),
        ]

    async def _fault(self, request: web.Request) -> web.Response:
        """``{"kind": "drop", "on": "place", "times": 1, "accepted": true}``"""
        return await self._do(request, lambda given: _told(self._world.faults.add(**given)))

    async def _faults(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"status": "success", "data": [_told(one) for one in self._world.faults.active]}
        )

    async def _clear(self, request: web.Request) -> web.Response:
        """``?kind=`` clears one kind; without it all."""
        self._world.faults.clear(request.query.get("kind"))
        return web.json_response({"status": "success", "data": True})

    async def _price(self, request: web.Request) -> web.Response:
        """``{"symbol": "NSE:INFY", "last": 1520.5, "bid": …, "ask": …, "volume": …}``"""
        return await self._do(request, lambda given: self._world.market.price(**given).last)

    async def _order(self, request: web.Request) -> web.Response:
        """By hand in the app: ``{"symbol": "NSE:INFY", "side": "BUY", "quantity": 1}``"""
        return await self._do(request, lambda given: self._world.app.order(**given))

    async def _cancel(self, request: web.Request) -> web.Response:
        return await self._do(request, lambda given: self._world.app.cancel(**given))

    async def _do(self, request: web.Request, call: Any) -> web.Response:
        try:
            data = call(await request.json())
        except (ValueError, TypeError, LookupError) as error:
            return web.json_response({"status": "error", "message": str(error)}, status=400)
        except KiteError as error:
            return web.json_response(error.payload(), status=error.status)
        self._world.pass_time()
        return web.json_response({"status": "success", "data": data})


def _told(fault: Fault) -> dict[str, object]:
    return {"kind": fault.kind, "on": fault.on, "times": fault.times, "accepted": fault.accepted}
