"""HTTP/1.1 as all parts of the package speak it: one encoder, one set of bounds, one way to judge."""
