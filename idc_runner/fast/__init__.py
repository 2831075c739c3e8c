"""The fast engine: a preloaded process forks for each notebook, and the fork runs the cells itself."""
