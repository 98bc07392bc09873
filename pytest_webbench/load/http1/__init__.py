"""HTTP/1.1 as all of us send and read it: one encoder, one set of bounds."""
