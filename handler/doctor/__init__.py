"""A read-only examination of a deployed function."""
