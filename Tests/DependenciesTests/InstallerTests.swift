import AssayTesting
import Base
import Foundation
import Testing

@testable import Dependencies

@Suite("assay install, against a local web server")
struct InstallerTests {
    @Test("a pinned program is downloaded, verified and executable; a second run downloads nothing")
    func success() async throws {
        let host = try ReleaseHost(ReleaseHost.answer)
        defer { host.remove() }
        #expect(try await host.installer.install(host.entry()) == .installed(path: host.installed))
        #expect(FileReading.whole(host.installed) == ReleaseHost.program)
        #expect(FileManager.default.isExecutableFile(atPath: host.installed))
        #expect(host.downloads.isEmpty)
        #expect(host.server.requestLines == ["GET /v1.2.3/tool-linux-amd64"])
        #expect(try await host.installer.install(host.entry()) == .present(path: host.installed))
        #expect(host.server.requests.count == 1)
    }

    @Test("an older or damaged file is replaced")
    func replaced() async throws {
        let host = try ReleaseHost(ReleaseHost.answer)
        defer { host.remove() }
        try Directory.make(host.programs.bin)
        try FileWriting.write("old".utf8, to: host.installed)
        #expect(try await host.installer.install(host.entry()) == .installed(path: host.installed))
        #expect(FileReading.whole(host.installed) == ReleaseHost.program)
    }

    @Test("another content than the pinned one is refused, removed, and leaves what was installed")
    func wrongChecksum() async throws {
        let host = try ReleaseHost(ReleaseHost.answer)
        defer { host.remove() }
        try Directory.make(host.programs.bin)
        try FileWriting.write("old".utf8, to: host.installed)
        let entry = host.entry(sha256: String(repeating: "0", count: 64))
        let error = await #expect(throws: DependencyError.self) { try await host.installer.install(entry) }
        #expect(error?.kind == .mismatch)
        #expect(error?.description.contains(SHA256.hex(of: ReleaseHost.program)) == true)
        #expect(FileReading.text(host.installed) == "old")
        #expect(host.downloads.isEmpty)
    }

    @Test("a download that is cut goes on where it stopped, in the same run and in the next one")
    func truncated() async throws {
        let isBroken = Locked(true)
        let host = try ReleaseHost { request in
            guard isBroken.withLock({ $0 }) else { return ReleaseHost.answer(request) }
            let start = request.headers["range"].flatMap { Int($0.dropFirst(6).dropLast()) } ?? 0
            var response = ScriptedResponse(
                status: start > 0 ? 206 : 200,
                headers: start > 0 ? [("Content-Range", "bytes \(start)-\(ReleaseHost.program.count - 1)/\(ReleaseHost.program.count)")] : [],
                pieces: [.bytes(Array(ReleaseHost.program[start..<start + 50_000])), .cut])
            response.chunked = true
            return response
        }
        defer { host.remove() }
        let error = await #expect(throws: DependencyError.self) { try await host.installer.install(host.entry()) }
        #expect(error?.kind == .download)
        #expect(error?.description.contains("run the command again") == true, "\(error?.description ?? "")")
        #expect(!FileEntry.exists(host.installed))
        #expect(host.downloads.count == 1)
        let before = host.server.requests.count
        #expect(before > 1)
        isBroken.withLock { $0 = false }
        #expect(try await host.installer.install(host.entry()) == .installed(path: host.installed))
        let last = try #require(host.server.requests.last)
        #expect(host.server.requests.count == before + 1)
        #expect(last.headers["range"]?.hasPrefix("bytes=") == true)
        #expect(FileReading.whole(host.installed) == ReleaseHost.program)
    }

    @Test("a server without ranges sends the whole file again")
    func noRanges() async throws {
        let host = try ReleaseHost { _ in ScriptedResponse(pieces: [.bytes(ReleaseHost.program)]) }
        defer { host.remove() }
        try Directory.make(host.programs.downloads)
        try FileWriting.write("left".utf8, to: "\(host.programs.downloads)/\(SHA256.hex(of: ReleaseHost.program)).part")
        #expect(try await host.installer.install(host.entry()) == .installed(path: host.installed))
        #expect(FileReading.whole(host.installed) == ReleaseHost.program)
    }

    @Test("a redirect to another place is followed; one to http elsewhere is not")
    func redirects() async throws {
        let host = try ReleaseHost { request in
            switch request.path {
            case "/v1.2.3/tool-linux-amd64":
                ScriptedResponse(status: 302, headers: [("Location", "\(request.headers["host"].map { "http://\($0)" } ?? "")/store")])
            case "/store": ReleaseHost.answer(request)
            default: ScriptedResponse(status: 302, headers: [("Location", "http://example.com/tool")])
            }
        }
        defer { host.remove() }
        #expect(try await host.installer.install(host.entry()) == .installed(path: host.installed))
        var entry = host.entry(sha256: String(repeating: "1", count: 64))
        entry.url = "\(host.server.url)/elsewhere"
        let error = await #expect(throws: DependencyError.self) { try await host.installer.install(entry) }
        #expect(error?.description.contains("redirected to http://example.com/tool, which is no https:// address") == true)
    }

    @Test("without a network, the message says what else can be done")
    func noNetwork() async throws {
        let host = try ReleaseHost(ReleaseHost.answer)
        defer { host.remove() }
        host.server.stop()
        let error = await #expect(throws: DependencyError.self) { try await host.installer.install(host.entry()) }
        #expect(error?.kind == .download)
        #expect(error?.description.contains("https_proxy") == true)
    }

    @Test("a release that does not exist is no reason to try again")
    func absent() async throws {
        let host = try ReleaseHost { _ in .text("no such release", status: 404) }
        defer { host.remove() }
        let error = await #expect(throws: DependencyError.self) { try await host.installer.install(host.entry()) }
        #expect(error?.description.contains("status 404") == true)
        #expect(host.server.requests.count == 1)
    }

    @Test("a home that cannot be written is named, and nothing is downloaded")
    func readOnlyHome() async throws {
        let host = try ReleaseHost(ReleaseHost.answer)
        defer { host.remove() }
        // A file in the place of the directory stops root as well, whom modes do not stop.
        try FileWriting.write("".utf8, to: "\(host.home)/.assay")
        let error = await #expect(throws: DependencyError.self) { try await host.installer.install(host.entry()) }
        #expect(error?.kind == .disk)
        #expect(error?.description.contains("\(host.home)/.assay") == true)
        #expect(host.server.requests.isEmpty)
    }

    @Test("an unknown platform, and a platform without a checksum, download nothing")
    func platforms() async throws {
        let host = try ReleaseHost(ReleaseHost.answer)
        defer { host.remove() }
        let unknown = Installer(host.programs, platform: Platform(system: "Plan9", machine: "mips"))
        let error = await #expect(throws: DependencyError.self) { try await unknown.install(host.entry()) }
        #expect(error?.description.contains("plan9-mips") == true && error?.description.contains("linux-amd64") == true)
        let unpinned = await #expect(throws: DependencyError.self) { try await host.installer.install(host.entry(sha256: nil)) }
        #expect(unpinned?.kind == .notPinned)
        #expect(unpinned?.description.contains("assay deps pin tool --version v1.2.3") == true)
        #expect(host.server.requests.isEmpty)
        #expect(Platform(system: "Darwin", machine: "arm64").isKnown && Platform(system: "Linux", machine: "aarch64").isKnown)
    }

    @Test("a pin has every platform that the release has, is written to the file, and can be installed")
    func pin() async throws {
        let host = try ReleaseHost { $0.path.hasSuffix("darwin-amd64") ? .text("", status: 404) : ReleaseHost.answer($0) }
        defer { host.remove() }
        let pin = try await host.installer.pin(host.entry(sha256: nil), version: "v2.0.0")
        #expect(pin.entry.sha256.count == 3)
        #expect(pin.missing.keys.map(\.description) == ["darwin-amd64"])
        #expect(host.downloads.isEmpty)
        try Installer.record(pin.entry, in: host.programs.list)
        let list = try host.programs.dependencies()
        #expect(list["git-sync"] != nil)
        #expect(list["tool"] == pin.entry)
        #expect(try await host.installer.install(try list.entry("tool")) == .installed(path: host.installed))
        for version in ["latest", "", "../v1", "v1/x", "v"] {
            let error = await #expect(throws: DependencyError.self) { try await host.installer.pin(host.entry(), version: version) }
            #expect(error?.kind == .badInput)
        }
    }

    @Test("nothing is recorded when no platform has a file")
    func pinOfNothing() async throws {
        let host = try ReleaseHost { _ in .text("", status: 404) }
        defer { host.remove() }
        let error = await #expect(throws: DependencyError.self) { try await host.installer.pin(host.entry(), version: "v2.0.0") }
        #expect(error?.description.contains("nothing is pinned") == true)
        #expect(!FileEntry.exists(host.programs.list))
    }
}
