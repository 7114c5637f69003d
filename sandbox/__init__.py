"""Local servers that behave, and misbehave, like the real ones: for tests, ``rehearse`` and demos."""
