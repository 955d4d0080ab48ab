"""Turns a payload into Events: envelopes, authentication, senders."""
