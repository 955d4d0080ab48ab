"""A Tencent Cloud on a laptop, for tests."""
