"""What is made in a database that is not the platform's: the migrations of its schema `grnry`."""
