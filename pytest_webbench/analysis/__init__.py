"""Numbers in, conclusions out: pure functions."""
