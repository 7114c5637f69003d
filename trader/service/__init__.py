"""The asyncio shell: moves events into the desk and carries its effects out. It decides nothing."""
