"""What runs one query in a process of its own: SQL in Athena's dialect over DuckDB."""
