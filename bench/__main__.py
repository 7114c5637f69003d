"""``make bench``: every benchmark, one after the other."""

from __future__ import annotations

from bench import replayed_year, tick_to_order

if __name__ == "__main__":
    replayed_year.main()
    tick_to_order.main()
