"""The desk in numbers: what the compiled loop is made of. Importing it imports Numba; do that late."""

from trader.strategy import sparing

sparing.numba()
