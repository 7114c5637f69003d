"""``make bench``: every benchmark, one after the other."""

from __future__ import annotations

from bench import instruments, replayed_year, tick_to_order

if __name__ == "__main__":
    instruments.main()
    replayed_year.main()
    tick_to_order.main()
