"""Carries out a plan: measurements, comparisons, and the saved results."""
