"""Servers that run in processes of their own and keep accounts, which they print when they end.

Each is run as ``python -m tests.accuracy.servers.NAME OPTIONS`` by :class:`tests.accuracy.running.Program`.
"""
