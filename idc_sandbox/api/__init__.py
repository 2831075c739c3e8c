"""Identity Center's own services, one folder each; an operation is its rules and nothing else."""
