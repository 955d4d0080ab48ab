"""EMR Steward, the function: what is deployed, and nothing else."""
