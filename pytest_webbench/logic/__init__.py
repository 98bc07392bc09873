"""Pure logic: from values to values, without IO, clocks or pytest."""
