"""Injected faults: what can go wrong between a client and the API, on request."""

from harness.faults.distortion import distorted
from harness.faults.kinds import Fault, Kind
from harness.faults.queue import FaultQueue

__all__ = ["Fault", "FaultQueue", "Kind", "distorted"]
