"""A web server on this machine that misbehaves on request."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Host:
    """Files by path, what was asked for, and how to fail."""

    def __init__(self, files):
        self.files = dict(files)
        self.asked = []
        self.cut_after = {}  # path to the number of bytes after which the line is cut, once
        self.answers = {}  # path to status codes that are given first
        self.ignores_ranges = False

    @property
    def ranges(self):
        return [(path, wanted) for path, wanted in self.asked if wanted]


@contextmanager
def serving(files):
    host = Host(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            host.asked.append((self.path, wanted))
            if host.answers.get(self.path):
                self.send_error(host.answers[self.path].pop(0))
                return
            if self.path not in host.files:
                self.send_error(404)
                return
            body, start = host.files[self.path], 0
            if wanted and not host.ignores_ranges:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(body):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            end = host.cut_after.pop(self.path, len(body))
            self.wfile.write(body[start:end])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
