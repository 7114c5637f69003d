"""The words everything else is written in: frozen values, no I/O, standard library only."""
