"""The fake API of EMR, STS and EventBridge: its state, its wire and its errors.

The state knows nothing of HTTP, and the wire keeps no state.
"""
