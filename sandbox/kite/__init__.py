"""A local Zerodha: Kite Connect's REST, login pages and stream, an exchange inside, and faults on demand."""

from sandbox.kite.exchange import Pace
from sandbox.kite.faults import Kind
from sandbox.kite.listings import Listing
from sandbox.kite.market import Hours
from sandbox.kite.server import Call, KiteServer
from sandbox.kite.session import Client

__all__ = ["Call", "Client", "Hours", "Kind", "KiteServer", "Listing", "Pace"]
