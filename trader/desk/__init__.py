"""The pure core. ``Desk.handle(event)`` returns effects; no clock, no random, no I/O, no await."""
