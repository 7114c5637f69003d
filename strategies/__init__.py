"""Strategies, one file each. Whatever is dropped in here is found by itself."""
