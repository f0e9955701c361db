"""A local web server with configurable faults."""

import base64
import gzip
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Reply = Callable[["Handler"], None]


class MirrorServer(ThreadingHTTPServer):
    """Serves `content` under every path, but `files` under theirs.

    Each request takes the next of `replies`, and is honest when none is left.
    """

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.files: dict[str, bytes] = {}
        self.replies: list[Reply] = []
        self.requests: list[tuple[str, str | None]] = []
        """Path and Range of each request."""
        self.stopping = threading.Event()

    def url(self, path: str = "archive.zip") -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    @property
    def ranges(self) -> list[str | None]:
        return [span for _, span in self.requests]


class Handler(BaseHTTPRequestHandler):
    @property
    def mirror(self) -> MirrorServer:
        assert isinstance(self.server, MirrorServer)
        return self.server

    @property
    def content(self) -> bytes:
        return self.mirror.files.get(self.path.removeprefix("/"), self.mirror.content)

    def do_GET(self) -> None:
        self.mirror.requests.append((self.path, self.headers.get("Range")))
        reply = self.mirror.replies.pop(0) if self.mirror.replies else honest
        reply(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: the tests' output is not the place."""

    def start(self) -> int:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(match[1]) if match else 0

    def send(self, status: int, headers: dict[str, object], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)


def honest(handler: Handler) -> None:
    send_file(handler, handler.content)


def send_file(handler: Handler, content: bytes, most: int | None = None) -> None:
    """Serve `content` as a good server does, but stop after `most` bytes of the body."""
    start, size = handler.start(), len(content)
    if start >= size > 0 and handler.headers.get("Range"):
        handler.send(416, {"Content-Range": f"bytes */{size}", "Content-Length": 0})
        return
    headers: dict[str, object] = {"Content-Length": size - start}
    if handler.headers.get("Range"):
        headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    handler.send(206 if handler.headers.get("Range") else 200, headers, content[start:][:most])


def cut_after(count: int) -> Reply:
    return lambda handler: send_file(handler, handler.content, count)


def serve(content: bytes) -> Reply:
    """Another content than the server's, as consistently as a good server."""
    return lambda handler: send_file(handler, content)


def ignore_range(handler: Handler) -> None:
    handler.send(200, {"Content-Length": len(handler.content)}, handler.content)


def without_length(body: bytes) -> Reply:
    return lambda handler: handler.send(200, {}, body)


def gzipped(handler: Handler) -> None:
    """Send the file compressed, whatever the client accepts."""
    body = gzip.compress(handler.content)
    handler.send(200, {"Content-Encoding": "gzip", "Content-Length": len(body)}, body)


def behind_login(user: str, password: str) -> Reply:
    """Serve the file to one user only."""
    expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return lambda handler: (honest if handler.headers.get("Authorization") == expected else status(401))(handler)


def status(code: int, **headers: object) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.send(code, {"Content-Length": 0} | named)


def redirect_to(url: str) -> Reply:
    return status(302, Location=url)


def partial_content(content_range: str, body: bytes) -> Reply:
    return lambda handler: handler.send(206, {"Content-Range": content_range, "Content-Length": len(body)}, body)


def stall(handler: Handler) -> None:
    """Say nothing until the server is stopped."""
    handler.mirror.stopping.wait()


@contextmanager
def running(content: bytes) -> Iterator[MirrorServer]:
    with MirrorServer(content) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            server.shutdown()
            thread.join()
