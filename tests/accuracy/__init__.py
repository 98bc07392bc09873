"""Results against independent truths: logs of servers, arithmetic, other programs.

The bounds are never widened for a noisy machine; what is measured is long against what it takes a machine to
wake a process up.
"""
