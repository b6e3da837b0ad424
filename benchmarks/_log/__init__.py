"""What `benchmarks log` stands on: two brokers, and what is measured of each."""
