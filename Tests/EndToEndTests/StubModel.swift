/// A model's host, as a program of Python. It prints its port. Its first answer to `/slow` never comes.
enum StubModel {
    static let program = """
        import http.server, threading
        first = threading.Lock()
        class Model(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/slow" and first.acquire(blocking=False):
                    print("slow", flush=True); threading.Event().wait()
                self.send_response(200); self.send_header("Content-Length", "9"); self.end_headers(); self.wfile.write(b"the-model")
            def log_message(self, *_): pass
        model = http.server.ThreadingHTTPServer(("127.0.0.2", 0), Model)
        print(model.server_port, flush=True)
        model.serve_forever()
        """
}
