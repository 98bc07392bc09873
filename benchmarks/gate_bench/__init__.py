"""What ``benchmarks/gate.py`` is made of."""
