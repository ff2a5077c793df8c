import AssayTesting
import Base
import Foundation

@testable import Dependencies

/// A web server that stands for the host of releases, and a home directory of its own.
struct ReleaseHost {
    static let program = Array("#!/bin/sh\necho tool version 1.2.3\n".utf8) + (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let home: String
    let server: ScriptedServer

    init(_ handler: @escaping ScriptedServer.Handler) throws {
        home = FileManager.default.temporaryDirectory.appending(path: "deps-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        server = try ScriptedServer(handler: handler)
    }

    /// The whole program, or the rest that a range asks for.
    static func answer(_ request: ScriptedRequest) -> ScriptedResponse {
        guard let range = request.headers["range"], let start = Int(range.dropFirst("bytes=".count).dropLast()) else {
            return ScriptedResponse(pieces: [.bytes(program)])
        }
        return ScriptedResponse(
            status: 206, headers: [("Content-Range", "bytes \(start)-\(program.count - 1)/\(program.count)")],
            pieces: [.bytes(Array(program[start...]))])
    }

    var programs: UserPrograms { UserPrograms(home: home) }

    func entry(sha256: String? = SHA256.hex(of: program), on platform: Platform = ReleaseHost.linux) -> DependencyList.Entry {
        DependencyList.Entry(
            name: "tool", version: "v1.2.3", url: "\(server.url)/{version}/tool-{platform}", sha256: sha256.map { [platform: $0] } ?? [:],
            description: "a tool")
    }

    static let linux = Platform(system: "Linux", machine: "x86_64")
    var installer: Installer { Installer(programs, platform: Self.linux) }
    var installed: String { "\(programs.bin)/tool" }
    var downloads: [String] { Directory.names(in: programs.downloads) ?? [] }

    func remove() {
        server.stop()
        Directory.removeTree(home)
    }
}
