"""Benchmarks: each starts what it measures, and prints ratios to a baseline of the same run."""
