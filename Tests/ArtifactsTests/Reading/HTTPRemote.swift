import Base
import Foundation
import Git
import Subprocess
import Testing

@testable import Artifacts

/// `git http-backend` behind a small web server on loopback: the bare repositories in a folder, for reading and pushing.
final class HTTPRemote: Sendable {
    private let process: RunningCommand
    let port: Int

    /// - Parameter root: the folder with the repositories.
    init(root: String) async throws {
        let output = Locked("")
        process = try RunningCommand.start(
            Command("python3", ["-c", Self.server, root]), onStdout: { bytes in output.withLock { $0 += String(decoding: bytes, as: UTF8.self) } },
            onStderr: { _ in })
        var port: Int?
        try await eventually("the web server's port") {
            port = output.withLock { $0.contains("\n") ? Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) : nil }
            return port != nil
        }
        self.port = try #require(port)
    }

    deinit { process.signal(SIGKILL) }

    func url(_ repository: String) -> String { "http://127.0.0.1:\(port)/\(repository)" }

    private static let server = #"""
        import http.server, os, subprocess, sys, urllib.parse
        root = sys.argv[1]
        backend = os.path.join(subprocess.run(["git", "--exec-path"], capture_output=True, text=True).stdout.strip(), "git-http-backend")

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_): pass

            def body(self):
                if self.headers.get("Transfer-Encoding", "") == "chunked":
                    data = b""
                    while True:
                        size = int(self.rfile.readline(), 16)
                        piece = self.rfile.read(size)
                        self.rfile.readline()
                        if size == 0: return data
                        data += piece
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))

            def answer(self):
                path, _, query = self.path.partition("?")
                data = self.body()
                env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": urllib.parse.unquote(path),
                       "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                       "CONTENT_LENGTH": str(len(data)), "REMOTE_USER": "tester", "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                       "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", "")}
                out = subprocess.run([backend], input=data, env=env, capture_output=True).stdout
                head, _, rest = out.partition(b"\r\n\r\n")
                status, headers = "200 OK", []
                for line in head.decode().split("\r\n"):
                    name, _, value = line.partition(": ")
                    if name == "Status": status = value
                    elif name: headers.append((name, value))
                code, _, words = status.partition(" ")
                self.send_response(int(code), words)
                for name, value in headers: self.send_header(name, value)
                self.send_header("Content-Length", str(len(rest)))
                self.end_headers()
                self.wfile.write(rest)

            do_GET = do_POST = answer

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        print(server.server_address[1], flush=True)
        server.serve_forever()
        """#
}

extension Workbench {
    func query() -> RunQuery { RunQuery(cacheDirectory: "\(path)/cache", workingDirectory: path, credentials: .none) }

    /// A reader of a branch in a repository on this machine, or of a URL.
    func store(_ remote: String, path prefix: String = "") async throws -> any RecordStore {
        try await query().open(.branch(remote: remote, branch: try GitBranch(parsing: Self.branch), path: try GitPath(parsing: prefix)))
    }

    /// Records on a branch, written by a ledger.
    func publish(_ runs: [PendingRun], to remote: String, path prefix: String = "") async throws {
        let ledger = try ledger(remote, directory: "ledger-\(UUID().uuidString)", path: prefix)
        for run in runs { try await ledger.submit(run) }
        try await ledger.flush()
    }

    /// Commits on top of a branch, from a stream for `git fast-import`; `from` is the tip.
    func importCommit(_ message: String, _ changes: String, into remote: String) async throws {
        let tip = try await git(remote, "rev-parse", Self.branch)
        let stream =
            "commit refs/heads/\(Self.branch)\ncommitter X <x@example.com> 1800000000 +0000\ndata \(message.utf8.count)\n\(message)\nfrom \(tip)\n\(changes)\n"
        try await git(remote, "fast-import", "--quiet", input: Array(stream.utf8))
    }
}
