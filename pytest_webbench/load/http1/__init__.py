"""HTTP/1.1 as the check and all engines send and read it: one encoder, one set of bounds."""
