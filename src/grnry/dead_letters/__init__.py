"""Dead letters: what deployments could not store, seen, replayed, copied and dropped."""
