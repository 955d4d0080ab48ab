"""The state of the fake cloud: clusters, their processes and workflows, on a clock. Knows nothing of HTTP."""
