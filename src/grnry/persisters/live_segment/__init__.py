"""Live segments: the newest record of each id, typed by a JSON Schema, in a table of its own."""
