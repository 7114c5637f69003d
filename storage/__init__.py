"""The desk's records: a SQL ledger, its in-memory twin, the paper exchange's journal, exports.

Implements what ``trader.ports.store`` and ``trader.broker.paper.journal`` declare. Nothing is imported here:
the twin must not pay for SQLAlchemy."""
