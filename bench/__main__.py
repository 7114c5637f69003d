"""``make bench``: every benchmark, one after the other."""

from __future__ import annotations

from bench import (
    backtest_scaling,
    backtests,
    cross_check,
    flat_out,
    instruments,
    kite_orders,
    replayed_year,
    stream_decoder,
    tick_to_order,
    tick_to_socket,
    worker_stall,
)

if __name__ == "__main__":
    instruments.main()
    stream_decoder.main()
    replayed_year.main()
    tick_to_order.main()
    kite_orders.main()
    tick_to_socket.main()
    worker_stall.main()
    backtests.main()
    backtest_scaling.main()
    flat_out.main()
    cross_check.main()
