"""Chat: one registry of commands, two transports, one notifier. Handlers parse, ask and render."""
