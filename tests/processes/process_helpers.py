"""Small programs to run in tests of processes."""

import sys
import textwrap
from pathlib import Path

SERVICE = """
    import http.server, os, signal, sys
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status = int(os.environ.get("STATUS", "200"))
            body = "\\n".join(f"{k}={v}" for k, v in os.environ.items()).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *said):
            print("asked", self.path, flush=True)
    class Server(http.server.ThreadingHTTPServer):
        allow_reuse_port = bool(os.environ.get("REUSE"))
    server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
    print("serving", flush=True)
"""


def script(folder: Path, name: str, text: str) -> tuple[str, ...]:
    """Write a Python program and return the argv that runs it."""
    file = folder / name
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return (sys.executable, "-I", "-S", str(file))


def lines_of(path: Path) -> list[str]:
    """The lines of a file that may not exist yet."""
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
