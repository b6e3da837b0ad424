"""Projects: who shares event types, a database schema, and roles."""
