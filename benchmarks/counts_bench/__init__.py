"""What ``benchmarks/counts_and_cpu.py`` is made of."""
