"""KiteTicker in a process of its own: every callback becomes a line of JSON. Arguments: URL, key, token.

Twisted's reactor starts once per process, so tests run this file instead of using the ticker themselves.
"""

from __future__ import annotations

import json
import sys

from kiteconnect import KiteTicker
from kiteconnect.ticker import KiteTickerClientFactory, KiteTickerClientProtocol

MODES = {256265: "full", 738561: "ltp", 408065: "quote"}  # NIFTY 50, RELIANCE, INFY


def tell(kind: str, **what: object) -> None:
    sys.stdout.write(json.dumps({"kind": kind} | what, default=str) + "\n")
    sys.stdout.flush()


def run(root: str, api_key: str, access_token: str) -> None:
    KiteTickerClientFactory.initialDelay = 0.05  # seconds before the first reconnect; 1 by default
    # after twice as many seconds it aborts if it ever got a pong: a server that sends one shows at once
    KiteTickerClientProtocol.PING_INTERVAL = 0.05
    ticker = KiteTicker(api_key, access_token, root=root, reconnect_max_tries=3)
    first = []

    def on_connect(_: KiteTicker, __: object) -> None:
        tell("connect")
        if not first:  # afterwards the ticker restores them itself
            first.append(True)
            ticker.subscribe(list(MODES))
            for token, mode in MODES.items():
                ticker.set_mode(mode, [token])

    ticker.on_connect = on_connect
    ticker.on_ticks = lambda _, ticks: [tell("tick", **tick) for tick in ticks]
    ticker.on_order_update = lambda _, order: tell("order", **order)
    ticker.on_message = lambda _, payload, binary: tell("beat") if binary and len(payload) == 1 else None
    ticker.on_close = lambda _, code, reason: tell("close", code=code, reason=reason)
    ticker.on_error = lambda _, code, reason: tell("error", code=code, reason=reason)
    ticker.connect(threaded=True)
    sys.stdin.read()  # until the test is done


if __name__ == "__main__":
    run(*sys.argv[1:])
