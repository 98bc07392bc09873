"""The pytest side: options, hooks, fixtures and output."""
