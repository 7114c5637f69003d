"""``make bench``: every benchmark, one after the other."""

from __future__ import annotations

from bench import instruments, kite_orders, replayed_year, stream_decoder, tick_to_order

if __name__ == "__main__":
    instruments.main()
    stream_decoder.main()
    replayed_year.main()
    tick_to_order.main()
    kite_orders.main()
