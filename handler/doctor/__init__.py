"""Examines a deployed function without changing anything."""
