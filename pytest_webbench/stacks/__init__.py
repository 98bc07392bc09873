"""Starts stacks, and stops them whatever happens."""
