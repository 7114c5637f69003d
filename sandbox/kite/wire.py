"""Between HTTP and the routes: parameters in, CSV and refusals out."""

from __future__ import annotations

import gzip

from aiohttp import web

from sandbox.kite.errors import KiteError, bad_input
from sandbox.kite.forms import Ask
from sandbox.kite.rest import Dump


async def read(request: web.Request) -> Ask:
    """Parameters of query and form together, as Kite takes them; a JSON body apart."""
    params = dict(request.query)
    body = None
    if request.content_type == "application/json":
        try:
            body = await request.json()
        except ValueError:
            raise bad_input("The body is no JSON.") from None
    elif request.method in {"POST", "PUT"}:
        params |= {name: str(value) for name, value in (await request.post()).items()}
    return Ask(dict(request.match_info), params, tuple(request.query.getall("i", [])), body)


def refusal(error: KiteError) -> web.Response:
    return web.json_response(error.payload(), status=error.status)


def csv(dump: Dump, *, zipped: bool) -> web.Response:
    headers = {"Content-Type": "text/csv"} | ({"Content-Encoding": "gzip"} if zipped else {})
    return web.Response(body=gzip.compress(dump.body) if zipped else dump.body, headers=headers)
