"""The cost of a load to a server: CPU time, memory, and where the time goes."""
