"""Athena behind the sandbox's port: its API here; `engine` runs a query in a process of its own."""
