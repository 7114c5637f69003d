"""The trading side of Munim: it knows the market, the broker and the money, and nothing of chat or SQL."""

VERSION = "0.1.0"
