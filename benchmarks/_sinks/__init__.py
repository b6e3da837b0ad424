"""What the benchmarks of persisters share: both sides of each ratio, and the table of goals."""
