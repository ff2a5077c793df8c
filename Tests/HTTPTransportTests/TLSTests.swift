import AssayTesting
import Base
import Foundation
import Subprocess
import Testing

@testable import HTTPTransport

/// With `openssl s_server` as the peer, and an authority and certificates made for the test.
@Suite struct TLSTests {
    let transport = HTTPTransport()

    @Test func theGivenAuthorityIsTrusted() async throws {
        let server = try await TLSServer.start()
        for authorities in [TLSOptions.PEM.file(server.authorityPath), .data(try server.bytes("ca.pem"))] {
            let response = try await transport.send(
                HTTPRequest(url: server.url, tls: TLSOptions(authorities: authorities)))
            #expect(response.status == 200)
            #expect(try await text(response).contains("s_server"))
        }
    }

    @Test func anUnknownAuthorityIsNot() async throws {
        let server = try await TLSServer.start()
        let other = try await TLSServer.start()
        for tls in [TLSOptions(), TLSOptions(authorities: .file(other.authorityPath))] {
            let error = await #expect(throws: HTTPTransportError.self) {
                try await transport.send(HTTPRequest(url: server.url, tls: tls))
            }
            guard case .tls(let host, _)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(host == "127.0.0.1:\(server.port)")
        }
    }

    @Test func insecureTrustsAnyone() async throws {
        let server = try await TLSServer.start()
        let response = try await transport.send(HTTPRequest(url: server.url, tls: TLSOptions(insecure: true)))
        #expect(response.status == 200)
    }

    @Test func theNameOfTheCertificateCounts() async throws {
        // The certificate is for api.example.test, not for the address.
        let server = try await TLSServer.start(names: "DNS:api.example.test")
        let authorities = TLSOptions.PEM.file(server.authorityPath)
        let error = await #expect(throws: HTTPTransportError.self) {
            try await transport.send(HTTPRequest(url: server.url, tls: TLSOptions(authorities: authorities)))
        }
        guard case .tls? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        let response = try await transport.send(
            HTTPRequest(
                url: server.url, tls: TLSOptions(authorities: authorities, serverName: "api.example.test")))
        #expect(response.status == 200)
    }

    @Test func aClientCertificateIsShown() async throws {
        let server = try await TLSServer.start(asksForCertificate: true)
        let authorities = TLSOptions.PEM.file(server.authorityPath)
        let pairs: [(TLSOptions.PEM, TLSOptions.PEM)] = [
            (.data(try server.bytes("client.pem")), .data(try server.bytes("client.key"))),
            (.file(server.path("client.pem")), .file(server.path("client.key"))),
        ]
        for (certificate, key) in pairs {
            let response = try await transport.send(
                HTTPRequest(
                    url: server.url,
                    tls: TLSOptions(authorities: authorities, clientCertificate: certificate, clientKey: key)))
            #expect(try await text(response).contains("a-test-client"))
        }
        let error = await #expect(throws: HTTPTransportError.self) {
            try await transport.send(HTTPRequest(url: server.url, tls: TLSOptions(authorities: authorities)))
        }
        guard case .tls? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func brokenPEMIsATLSError() async throws {
        let server = try await TLSServer.start()
        let junk = TLSOptions.PEM.data(Array("not a certificate".utf8))
        for tls in [
            TLSOptions(authorities: junk),
            TLSOptions(authorities: .file("/no/such/file")),
            TLSOptions(authorities: .file(server.authorityPath), clientCertificate: junk, clientKey: junk),
        ] {
            let error = await #expect(throws: HTTPTransportError.self) {
                try await transport.send(HTTPRequest(url: server.url, tls: tls))
            }
            guard case .tls? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
    }

    @Test func plainHTTPToATLSPortIsAProtocolError() async throws {
        let server = try await TLSServer.start()
        let error = await #expect(throws: HTTPTransportError.self) {
            try await transport.send(HTTPRequest(url: "http://127.0.0.1:\(server.port)/"))
        }
        switch error {
        case .protocolViolation, .connectionLost: break
        default: Issue.record("\(String(describing: error))")
        }
    }
}

/// A TLS server with its own certificates; it ends with its last reference.
final class TLSServer: Sendable {
    let port: Int
    private let directory: String
    private let process: RunningCommand

    var url: String { "https://127.0.0.1:\(port)/" }
    var authorityPath: String { path("ca.pem") }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path(name))))
    }

    static func start(names: String = "IP:127.0.0.1", asksForCertificate: Bool = false) async throws -> TLSServer {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("assay-tls-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let script = """
            set -e
            new() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }
            new ca
            openssl req -x509 -new -key ca.key -subj "/CN=a-test-authority" -days 2 -out ca.pem \
              -addext basicConstraints=critical,CA:TRUE
            sign() {
              new "$1"
              openssl req -new -key "$1.key" -subj "/CN=$2" -out "$1.csr"
              printf 'subjectAltName=%s' "$3" > "$1.ext"
              openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -set_serial "$4" -days 2 -extfile "$1.ext" -out "$1.pem"
            }
            sign server a-test-server "\(names)" 2
            sign client a-test-client DNS:client 3
            """
        let made = try await Command("sh", ["-c", script], workingDirectory: directory, deadlineSeconds: 60).run()
        guard made.succeeded else { throw TLSServerError(description: made.stderrText) }

        let output = Locked("")
        var arguments = [
            "s_server", "-accept", "127.0.0.1:0", "-cert", "server.pem", "-key", "server.key", "-CAfile", "ca.pem", "-www",
        ]
        if asksForCertificate { arguments += ["-Verify", "1", "-verify_return_error"] }
        let process = try RunningCommand.start(
            Command("openssl", arguments, workingDirectory: directory),
            onStdout: { chunk in output.withLock { $0 += String(decoding: chunk, as: UTF8.self) } })
        // It prints `ACCEPT 127.0.0.1:PORT` when it listens.
        let port = { @Sendable () -> Int? in
            let text = output.withLock { $0 }
            guard let range = text.range(of: "ACCEPT 127.0.0.1:") else { return nil }
            let rest = text[range.upperBound...]
            guard let end = rest.firstIndex(where: \.isNewline) else { return nil }
            return Int(rest[..<end])
        }
        guard await eventually({ port() != nil }), let number = port() else {
            process.signal(9)
            throw TLSServerError(description: "the TLS server does not start: \(output.withLock { $0 })")
        }
        return TLSServer(port: number, directory: directory, process: process)
    }

    private init(port: Int, directory: String, process: RunningCommand) {
        self.port = port
        self.directory = directory
        self.process = process
    }

    deinit {
        process.signal(9)
        try? FileManager.default.removeItem(atPath: directory)
    }
}

struct TLSServerError: Error, CustomStringConvertible {
    let description: String
}
