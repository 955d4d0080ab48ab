"""From a payload to Events: envelopes, authentication, senders."""
