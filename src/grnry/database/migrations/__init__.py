"""The numbered migrations. Each is applied once; a released one is never edited."""
