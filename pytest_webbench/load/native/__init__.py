"""The built-in load generator."""
