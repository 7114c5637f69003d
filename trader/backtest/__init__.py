"""Backtests: the desk's rules on columns of candles, compiled; and everything that is asked of a result."""
