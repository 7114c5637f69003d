"""Market data: the Feed port, the simulated session, replays of recorded days, and bar building."""
