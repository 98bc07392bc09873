"""Bring a stack up, and take it down whatever happens."""
