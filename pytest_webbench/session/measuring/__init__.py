"""A plan carried out, and tests that measure for themselves."""
