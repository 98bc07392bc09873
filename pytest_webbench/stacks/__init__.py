"""Starts stacks, and always stops them."""
