"""A Tencent Cloud on a laptop, for anybody's tests.

The packages depend on each other in one direction: ``messages`` < ``faults`` < ``fake_cloud`` < ``pytest_plugin``.
"""
