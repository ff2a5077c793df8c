import Base
import Foundation
import Git
import Glibc
import HTTPServing
import Testing

@testable import Dashboard

/// The server's answers, without a socket; BrowserTests use one.
@Suite struct ServingTests {
    private func request(_ path: String, method: String = "GET", headers: [String: String] = ["host": "127.0.0.1:8080"]) -> ServerRequest {
        ServerRequest(
            method: method, segments: path.split(separator: "/").map { String($0).removingPercent }, rawPath: path, query: HTTPQuery(),
            headers: headers, body: [])
    }

    private func site() async throws -> SiteBench {
        let bench = try await SiteBench()
        try await bench.write([SiteBench.pending(.init(task: "one"))])
        try await bench.generate(isLive: true)
        return bench
    }

    @Test("pages have headers that isolate them, and a version that changes with their content")
    func headers() async throws {
        let bench = try await site()
        let response = DashboardServer.answer(request("/"), bench.site, isLoopback: true)
        let headers = Dictionary(response.headers.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        #expect(response.status == 200 && headers["Content-Type"] == "text/html; charset=utf-8")
        #expect(headers["X-Content-Type-Options"] == "nosniff" && headers["X-Frame-Options"] == "DENY" && headers["Referrer-Policy"] == "no-referrer")
        let policy = try #require(headers["Content-Security-Policy"])
        #expect(policy.hasPrefix("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"))
        let version = try #require(headers["ETag"])
        #expect(headers["Server-Timing"] == "version;desc=\(version)")
        #expect(
            DashboardServer.answer(request("/", headers: ["host": "localhost", "if-none-match": version]), bench.site, isLoopback: true).status == 304
        )
        try await bench.write([SiteBench.pending(.init(task: "two", at: 70))], directory: "ledger-2")
        try await bench.generate(isLive: true)
        #expect(DashboardServer.answer(request("/", headers: ["if-none-match": version]), bench.site, isLoopback: true).status == 200)
    }

    @Test("only the site's own files are served, whatever the path is")
    func refused() async throws {
        let bench = try await site()
        let paths = [
            "/../evals.git/HEAD", "/..%2fevals.git/HEAD", "/%2e%2e/evals.git/HEAD", "/.assay-dashboard.json", "/assets", "/assets/", "//index.html",
            "/index.html/", "/run/..%2f..%2findex.html",
            "/assets%2fapp.js", "/index.html%00", "/job/0123456789abcdef.html", "/\\index.html",
        ]
        for path in paths { #expect(DashboardServer.answer(request(path), bench.site, isLoopback: true).status == 404, "\(path)") }
    }

    @Test("other methods and, on loopback, other hosts are refused; a link in the folder is not followed")
    func others() async throws {
        let bench = try await site()
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
            #expect(DashboardServer.answer(request("/", method: method), bench.site, isLoopback: true).status == 405)
        }
        for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1:80:80"] {
            #expect(DashboardServer.answer(request("/", headers: ["host": host]), bench.site, isLoopback: true).status == 421, "\(host)")
        }
        #expect(DashboardServer.answer(request("/", headers: ["host": "evals.example"]), bench.site, isLoopback: false).status == 200)
        Directory.removeTree("\(bench.site)/jobs.html")
        _ = try await bench.git("init", "-q", "elsewhere")
        try #require(symlinked("\(bench.path)/elsewhere/.git/HEAD", "\(bench.site)/jobs.html"))
        #expect(DashboardServer.answer(request("/jobs.html"), bench.site, isLoopback: true).status == 404)
    }
}

private func symlinked(_ target: String, _ path: String) -> Bool { Glibc.symlink(target, path) == 0 }

extension String {
    fileprivate var removingPercent: String { removingPercentEncoding ?? self }
}
