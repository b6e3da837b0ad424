"""The database: connections, transactions, named SQL, migrations, and the embedded server."""
