"""What the benchmark of the API fills the database with."""
