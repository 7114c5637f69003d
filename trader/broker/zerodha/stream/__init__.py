"""Kite's market stream: our own decoder and our own asyncio client.

``layout`` says what the bytes mean, ``frames`` turns a frame into columns, ``ticks`` into the ticks the desk
trades on (through ``few`` where the packets are few), ``packets`` into everything a packet holds.
``client.KiteStream`` keeps up to three connections alive; ``reports`` is what it tells its owner.
"""
