"""Benchmarks. Speed is claimed from here only: a ratio against a peer or a bare reference in the same run."""
