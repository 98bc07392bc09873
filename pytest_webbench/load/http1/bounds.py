"""How much of a response is read, by the check as by the load."""

__all__ = ["MAX_HEAD", "MAX_RESPONSE"]

MAX_HEAD = 64 * 2**10
"""The most bytes that the headers of a response may have, with those of interim responses before it."""
MAX_RESPONSE = 64 * 2**20
"""The most bytes that a response may have as sent, and that its body may have once it is decoded."""
