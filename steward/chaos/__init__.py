"""Storms of deliveries with faults and killed workers."""
