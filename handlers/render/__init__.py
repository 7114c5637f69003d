"""How things look: tables for a phone's 34 columns, rupees, bars, times, and replies on a terminal."""
