"""Kite's answers, whole and typed: one dataclass for each shape, its fields named as Kite names them.

What Munim trades by goes through ``mapping`` into our own words. These are for all that is only understood:
mutual funds, alerts, auctions, margin estimates, the owner's profile.
"""
