"""What a load costs a server: CPU time, memory, and where the time goes."""
