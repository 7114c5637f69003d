"""India as dated data: calendar, charges, instruments. The tables carry their sources."""
