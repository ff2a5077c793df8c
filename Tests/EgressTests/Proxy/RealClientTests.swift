import Base
import Subprocess
import Testing

@testable import Egress

/// curl, Python's web server and OpenSSL as the two ends.
@Suite("Real clients and servers")
struct RealClientTests {
    /// A folder that is served by `python3 -m http.server`.
    private struct WebServer {
        let port: UInt16
        let process: RunningCommand

        init(_ address: String, folder: String) async throws {
            let output = Locked("")
            process = try RunningCommand.start(
                Command("python3", ["-u", "-m", "http.server", "0", "--bind", address, "--directory", folder], deadlineSeconds: 120),
                onStdout: { bytes in output.withLock { $0 += String(decoding: bytes, as: UTF8.self) } })
            #expect(soon { output.withLock { $0.contains(" port ") } })
            let words = output.withLock { $0 }.split(separator: " ")
            let position = try #require(words.firstIndex(of: "port"))
            port = try #require(UInt16(words[position + 1]))
        }
    }

    private func curl(_ bench: ProxyBench, _ token: String, _ words: [String]) async throws -> CommandResult {
        // As the variable of a trial gives it.
        let proxy = "http://assay:\(token)@127.0.0.1:\(bench.port)"
        return try await Command(
            "curl", ["--silent", "--show-error", "--max-time", "30"] + words,
            environment: .inheriting(adding: ["http_proxy": proxy, "https_proxy": proxy, "HTTPS_PROXY": proxy], removing: ["no_proxy", "NO_PROXY"]),
            deadlineSeconds: 60
        ).run()
    }

    private func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = "/tmp/assay-egress-\(UInt64.random(in: 0...UInt64.max))"
        try Directory.make(folder)
        defer { _ = Directory.removeTree(folder) }
        try await body(folder)
    }

    @Test("curl and Python's web server, over IPv4 and IPv6, up and down")
    func plain() async throws {
        try await withFolder { folder in
            let page = [UInt8](repeating: 0x61, count: 3_000_000)
            try FileWriting.write(page, to: "\(folder)/page")
            for address in ["127.0.0.1", "::1"] {
                let server = try await WebServer(address, folder: folder)
                let bench = try ProxyBench(["web.example": [address]])
                let token = try bench.token(["web.example", address])
                let host = address == "::1" ? "[::1]" : address
                for name in ["web.example", host] {
                    let url = "http://\(name):\(server.port)"
                    let got = try await curl(bench, token, ["\(url)/page", "\(url)/page", "--next", "-I", "\(url)/page"])
                    #expect(got.succeeded && got.stdout.count > 2 * page.count && got.stdout.starts(with: page), "\(got.stderrText)")
                    // The server does not know POST: it answers before it has read the body.
                    let post = try await curl(
                        bench, token, ["-w", "%{http_code}", "-o", "/dev/null", "--data-binary", "@\(folder)/page", "\(url)/page"])
                    #expect(post.stdoutText == "501", "\(post.stdoutText) \(post.stderrText)")
                    let missing = try await curl(bench, token, ["-w", "%{http_code}", "-o", "/dev/null", "\(url)/missing"])
                    #expect(missing.stdoutText == "404")
                }
                let denied = try await curl(bench, token, ["http://other.example:\(server.port)/page"])
                #expect(denied.stdoutText.hasPrefix("assay egress: denied other.example:\(server.port) in phase execute: the host is not listed in "))
                server.process.signal(9)
                _ = await server.process.wait()
            }
        }
    }

    @Test("TLS through CONNECT is the client's and the server's; a denied CONNECT fails with 403")
    func tls() async throws {
        try await withFolder { folder in
            let made = try await Command(
                "openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=tls.example",
                    "-addext",
                    "subjectAltName=DNS:tls.example", "-keyout", "\(folder)/key.pem", "-out", "\(folder)/cert.pem",
                ], deadlineSeconds: 30
            ).run()
            try #require(made.succeeded, "\(made.stderrText)")
            let output = Locked("")
            let server = try RunningCommand.start(
                Command(
                    "openssl", ["s_server", "-accept", "127.0.0.1:0", "-www", "-cert", "\(folder)/cert.pem", "-key", "\(folder)/key.pem"],
                    deadlineSeconds: 120),
                keepInputOpen: true, onStdout: { bytes in output.withLock { $0 += String(decoding: bytes, as: UTF8.self) } })
            #expect(soon { output.withLock { $0.contains("ACCEPT ") && $0.contains("\n") } })
            let line = try #require(output.withLock { $0 }.split(separator: "\n").first { $0.hasPrefix("ACCEPT ") })
            let port = try #require(line.split(separator: ":").last.flatMap { UInt16($0) }, "\(line)")
            let bench = try ProxyBench(["tls.example": ["127.0.0.1"]])
            let token = try bench.token(["tls.example:\(port)", "127.0.0.1"])
            let good = try await curl(bench, token, ["--cacert", "\(folder)/cert.pem", "https://tls.example:\(port)/"])
            #expect(good.succeeded && good.stdoutText.contains("TLSv1."), "\(good.stderrText)")
            let denied = try await curl(bench, token, ["https://tls.example:1/"])
            #expect(denied.exit == .code(56) && denied.stderrText.contains("403"), "\(denied.stderrText)")
            let verbose = try await curl(bench, token, ["-v", "https://other.example/"])
            #expect(
                verbose.stderrText.contains("403 Denied by assay egress: other.example:443 in phase execute: not_allowed"), "\(verbose.stderrText)")
            server.signal(9)
            _ = await server.wait()
        }
    }

    @Test("a redirect is a request of the client's, and is decided as one (catalogue 70)")
    func redirects() async throws {
        let bench = try ProxyBench(["start.example": ["127.0.0.1"], "inside.example": ["10.0.0.1"]])
        let token = try bench.token(["start.example", "inside.example", "127.0.0.1:1"])
        let targets = [
            "http://169.254.169.254/latest/meta-data/", "http://inside.example/", "http://[::1]:8080/", "http://2130706433/", "http://other.example/",
        ]
        let origin = try Origin { socket, origin in
            let path = try socket.readHead().split(separator: " ")[1].dropFirst()
            try socket.send("HTTP/1.1 302 Found\r\nLocation: \(targets[Int(path) ?? 0])\r\nContent-Length: 0\r\n\r\n")
        }
        let open = try bench.token(["start.example", "127.0.0.0/8", "inside.example"], phase: "install")
        for index in targets.indices {
            let result = try await curl(bench, open, ["-L", "-w", "|%{http_code}|%{num_redirects}", "http://start.example:\(origin.port)/\(index)"])
            let isMalformed = targets[index].contains("2130706433")
            // curl itself reads 2130706433 as 127.0.0.1, or sends it as it is: it is refused or has no server either way.
            if isMalformed {
                #expect(!result.stdoutText.hasSuffix("|200|1"), "\(result.stdoutText)")
            } else {
                #expect(
                    result.stdoutText.hasSuffix("|403|1") && result.stdoutText.contains("assay egress: denied"),
                    "\(targets[index]): \(result.stdoutText)")
            }
        }
        let hosts = Set(try await onThread { try bench.denials(token) }.denials.map(\.host))
        #expect(hosts.isSuperset(of: ["169.254.169.254", "inside.example", "::1", "other.example"]), "\(hosts)")
    }

    @Test("the system's resolver: a name of /etc/hosts that is on loopback is reached only where its address is listed")
    func systemResolver() async throws {
        try await onThread {
            let bench = try ProxyBench(system: true)
            let origin = try Origin.answering("reached")
            let url = "http://localhost:\(origin.port)/"
            #expect(try bench.get(url, try bench.token(["localhost"])).head.contains("403 Denied by assay egress: localhost"))
            #expect(try bench.get(url, try bench.token(nil, phase: "install")).head.contains("address_not_public"))
            #expect(try bench.get(url, try bench.token(["localhost", "127.0.0.1"], phase: "verify")).body == "reached")
            #expect(throws: HostResolutionError.self) { try SystemResolver().addresses(of: try HostName("no-such-name.invalid")) }
        }
    }
}
