"""Practising the live desk against a local Kite server: ``python bot.py rehearse``."""
