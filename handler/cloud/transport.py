"""A transport for ``requests`` that notes when the first byte of a request leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handler.lib import in_flight

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter


def tracked_adapter() -> HTTPAdapter:
    """A transport for a ``requests`` session that notes when a request's first byte leaves.

    It notes that at the in-flight request of its thread.
    """
    return _adapter_class()()


_made: type[HTTPAdapter] | None = None


def _adapter_class() -> type[HTTPAdapter]:
    # Made when first needed: requests and urllib3 are most of a cold start, and many events need neither.
    global _made  # noqa: PLW0603
    if _made is None:
        from requests.adapters import HTTPAdapter
        from urllib3.connection import HTTPConnection, HTTPSConnection
        from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

        class Tracked:
            """Over http.client's connection: connecting sends nothing of the request, ``send`` does."""

            _connecting = False

            def connect(self) -> None:
                self._connecting = True  # a proxy's CONNECT goes through send() too, and carries no request
                try:
                    super().connect()  # type: ignore[misc]
                finally:
                    self._connecting = False

            def send(self, data: Any) -> None:
                if self.sock is None:  # type: ignore[attr-defined]
                    self.connect()
                request = in_flight.current()
                if request is not None and not self._connecting:
                    request.note_socket(self.sock)  # type: ignore[attr-defined] # here, since a kept connection is not made again
                    in_flight.note_sent()
                super().send(data)  # type: ignore[misc]

        class TrackedHTTP(Tracked, HTTPConnection):
            pass

        class TrackedHTTPS(Tracked, HTTPSConnection):
            pass

        class HTTPPool(HTTPConnectionPool):
            ConnectionCls = TrackedHTTP

        class HTTPSPool(HTTPSConnectionPool):
            ConnectionCls = TrackedHTTPS

        pools = {"http": HTTPPool, "https": HTTPSPool}

        class TrackedAdapter(HTTPAdapter):
            def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
                super().init_poolmanager(*args, **kwargs)
                self.poolmanager.pool_classes_by_scheme = pools

            def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
                manager = super().proxy_manager_for(*args, **kwargs)
                manager.pool_classes_by_scheme = pools
                return manager

        _made = TrackedAdapter
    return _made
