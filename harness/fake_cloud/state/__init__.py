"""The state of the fake cloud: clusters, their processes and workflows, on a clock."""
