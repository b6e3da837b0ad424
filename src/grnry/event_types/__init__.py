"""Event types: a named, versioned contract of a stream."""
