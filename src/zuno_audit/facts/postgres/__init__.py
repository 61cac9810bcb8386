"""A PostgreSQL server in miniature: which statements run, and what exists afterwards."""
