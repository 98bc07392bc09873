"""The parts of ``benchmarks/counts_and_cpu.py``."""
