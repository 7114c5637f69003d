"""The Broker port and the brokers behind it."""
