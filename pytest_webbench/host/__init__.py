"""This machine: its processes, connections, files and what a load costs on it."""
