"""The function: everything in this package, and nothing else, is deployed."""
