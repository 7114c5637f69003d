"""Zerodha's market: live ticks, candles and their cache, the day's instruments, recordings.

Everything here talks to Kite through the two protocols of ``ports``.
"""
