"""Seams the outside implements: the ledger (``storage``) and the clock (``trader.service``).

The broker's and the feed's seams stand beside their implementations in ``trader.broker.port`` and
``trader.feed.port``."""
