"""Zerodha through Kite Connect v3: session, REST, mapping, and the market stream in ``stream``."""
