"""Carries out a plan, and serves tests that measure for themselves."""
