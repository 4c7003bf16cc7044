"""A small service: answers who it is and what it was asked with, and slowly when told to.

Standard library only, so that many of them start in no time.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer leaves as a whole: half of one cannot be asked for again

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.headers.get("Upgrade"):
            self._talk()
            return
        asked = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        if "lines" in asked:
            self._stream(int(asked["lines"]))
            return
        time.sleep(float(asked.get("wait", "0")))
        told = {
            "release": sys.argv[2],
            "headers": {key.lower(): value for key, value in self.headers.items()},
        }
        body = json.dumps(told).encode()
        self.send_response(int(asked.get("status", "200")))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 -- the name that http.server looks for

    def _stream(self, lines: int) -> None:
        """A line each tenth of a second, of unknown length in all."""
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        for n in range(lines):
            self.wfile.write(f"{n}\n".encode())
            self.wfile.flush()
            time.sleep(0.1)

    def _talk(self) -> None:
        """As after a WebSocket's handshake: bytes both ways, until one side leaves."""
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.wfile.flush()
        for line in self.rfile:
            self.wfile.write(sys.argv[2].encode() + b": " + line)
            self.wfile.flush()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Service).serve_forever()
