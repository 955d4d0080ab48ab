"""Injected faults: what can go wrong between a client and the API, on request."""

from harness.faults.fault import Fault, FaultQueue, Kind

__all__ = ["Fault", "FaultQueue", "Kind"]
