"""Looking at the files of a stopped broker: what is in them, and what is wrong with them."""
