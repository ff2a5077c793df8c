import AssayTesting
import Base
import EvalFormats
import Foundation
import Git
import Testing

@testable import SourceSync

/// Fixtures of a real repository, from each kind of place, to the stream that a trial's pod reads.
@Suite("Fixtures")
struct FixtureTests {
    static let data = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let bench: Workbench
    let source: String

    init() async throws {
        bench = try Workbench()
        source = try await bench.repository(files: [
            "t/a/instruction.md": "do\n", "t/a/tests/test.sh": "true\n", "t/a/tests/all": "-> ../../../shared",
            "t/a/tests/one": "-> ../../../shared/x.bin",
            "shared/note": "n", "blobs/kept": "kept",
        ])
    }

    private var resolver: SourceResolver { SourceResolver(cacheDirectory: "\(bench.path)/mirrors", policy: [.local, .loopbackHTTP]) }

    static func blob(_ path: String, _ url: String, _ bytes: [UInt8] = data) -> FixturesLock.Blob {
        FixturesLock.Blob(path: path, url: url, sha256: SHA256.hex(of: bytes), size: bytes.count)
    }

    /// Commits the lock; returns the tree that a trial of `t/a` gets.
    private func commit(_ blobs: [FixturesLock.Blob]) async throws -> TreeReference {
        let commit = try await bench.commit(source, ["fixtures.lock": String(decoding: FixturesLock(blobs: blobs).serialized(), as: UTF8.self)])
        return TreeReference(
            repository: "file://\(source)", commit: commit, path: try GitPath(parsing: "t/a"),
            parts: try ["instruction.md", "tests"].map { try GitPath(parsing: $0) }, fixtures: try GitPath(parsing: "fixtures.lock"))
    }

    private func stream(_ tree: TreeReference) async throws -> [String: [UInt8]] {
        let path = "\(bench.path)/stream-\(UUID().uuidString)"
        let sink = try TreeSink(path, limit: .max)
        try await MirrorTrees(resolver: resolver) { _, _ in .none }.write(tree, for: .init(namespace: "", secret: nil), to: sink)
        var found: [String: [UInt8]] = [:]
        for (entry, content) in try TreeStreamTests.decoded(try FileReading.bytes(path)) {
            if case .file = entry.kind { found[entry.path.joined(separator: "/")] = content }
        }
        return found
    }

    private func problem(_ blobs: [FixturesLock.Blob]) async throws -> SourceError? {
        let tree = try await commit(blobs)
        do {
            _ = try await stream(tree)
            return nil
        } catch let error as SourceError {
            return error
        }
    }

    @Test("web, git and files: in their places in the tree, also through links, and only what the tree holds is fetched")
    func places() async throws {
        let server = try ScriptedServer {
            $0.path == "/moved" ? ScriptedResponse(status: 302, headers: [("Location", "/x")]) : ScriptedResponse(pieces: [.bytes(Self.data)])
        }
        let first = try await bench.head(source)
        let other = try await bench.repository("other", files: ["deep/file": "from another repository"])
        try bench.write(["big.dat": "not committed"], in: source)
        let tree = try await commit([
            Self.blob("t/a/tests/web.bin", "\(server.url)/x?signature=secret"), Self.blob("t/a/tests/deep/er/same.bin", "\(server.url)/x"),
            Self.blob("t/a/tests/own.txt", "git:\(first.hex):shared/note", Array("n".utf8)),
            Self.blob("t/a/tests/kept.txt", "blobs/kept", Array("kept".utf8)),
            Self.blob(
                "t/a/tests/other.txt", "git+file://\(other)#\(try await bench.head(other).hex):deep/file", Array("from another repository".utf8)),
            Self.blob("t/a/tests/beside.txt", "big.dat", Array("not committed".utf8)), Self.blob("shared/x.bin", "\(server.url)/moved"),
            Self.blob("t/b/not-asked-for", "\(server.url)/never", [1, 2, 3]),
        ])
        let found = try await stream(tree)
        #expect(found["tests/web.bin"] == Self.data && found["tests/deep/er/same.bin"] == Self.data)
        #expect(found["tests/one"] == Self.data && found["tests/all/x.bin"] == Self.data, "links lead to fixtures")
        #expect(found["tests/all/note"] == Array("n".utf8) && found["tests/test.sh"] == Array("true\n".utf8))
        #expect(found["tests/own.txt"] == Array("n".utf8) && found["tests/kept.txt"] == Array("kept".utf8))
        #expect(found["tests/other.txt"] == Array("from another repository".utf8) && found["tests/beside.txt"] == Array("not committed".utf8))
        // One content, one download.
        #expect(server.requestLines == ["GET /moved", "GET /x"])
        #expect(try await stream(tree) == found)
        #expect(server.requests.count == 2)
        #expect(try TreeReference(word: tree.word) == tree)
    }

    @Test("other bytes are a fixture_mismatch with what was found, and nothing of them is kept")
    func mismatches() async throws {
        let server = try ScriptedServer { _ in ScriptedResponse(pieces: [.bytes(Self.data)]) }
        var wrong = Self.blob("t/a/tests/web.bin", "\(server.url)/x?signature=secret")
        wrong.sha256 = String(repeating: "0", count: 64)
        var error = try #require(try await problem([wrong]))
        #expect(error.type == .fixtureMismatch && error.message.contains(SHA256.hex(of: Self.data)), "\(error)")
        #expect(!error.message.contains("signature") && error.message.contains("t/a/tests/web.bin"))
        for size in [Self.data.count - 1, Self.data.count + 1] {
            var blob = Self.blob("t/a/tests/web.bin", "\(server.url)/x")
            blob.size = size
            error = try #require(try await problem([blob]))
            #expect(error.type == .fixtureMismatch && error.message.contains("\(size)"), "\(error)")
        }
        #expect(Directory.names(in: "\(bench.path)/mirrors/fixtures") == [])
    }

    @Test("a fixture that cannot be had is a source_sync_failed; a server's trouble is transient")
    func absent() async throws {
        let server = try ScriptedServer { $0.path == "/busy" ? .text("", status: 503) : .text("", status: 404) }
        let cases = [
            ("\(server.url)/busy", "status 503", true), ("\(server.url)/gone", "status 404", false), ("http://example.com/x", "only https", false),
            ("none/such", "there is no file", false), ("git:\(try await bench.head(source).hex):none", "has no file", false),
        ]
        for (url, message, isTransient) in cases {
            let error = try #require(try await problem([Self.blob("t/a/tests/f", url)]))
            #expect(error.type == .sourceSyncFailed && error.message.contains(message) && error.isTransient == isTransient, "\(error)")
        }
        for url in ["git:main:x", "git+https://example.com/r:x", "../x", "/etc/passwd"] {
            let error = try #require(try await problem([Self.blob("t/a/tests/f", url)]))
            #expect(error.type == .fixtureMismatch && !error.isTransient, "\(error)")
        }
    }

    @Test("a place that the commit has, or that lies below a file or a link, is refused")
    func takenPlaces() async throws {
        for path in ["t/a/tests/test.sh", "t/a/tests/test.sh/x", "t/a/tests/one/x"] {
            let error = try #require(try await problem([Self.blob(path, "blobs/kept", Array("kept".utf8))]))
            #expect(error.message.contains(path) && !error.isTransient, "\(error)")
        }
    }

    @Test("catalogue 42: a kept fixture that the disk damaged is noticed, removed and fetched again")
    func damaged() async throws {
        let server = try ScriptedServer { _ in ScriptedResponse(pieces: [.bytes(Self.data)]) }
        let tree = try await commit([Self.blob("t/a/tests/web.bin", "\(server.url)/x")])
        _ = try await stream(tree)
        let kept = "\(bench.path)/mirrors/fixtures/\(SHA256.hex(of: Self.data))"
        var bytes = try FileReading.bytes(kept)
        bytes[1000] ^= 1
        try FileWriting.write(bytes, to: kept)
        let error = await #expect(throws: SourceError.self) { try await stream(tree) }
        #expect(error?.isTransient == true && error?.message.contains("damaged") == true)
        #expect(try await stream(tree)["tests/web.bin"] == Self.data)
        #expect(server.requests.count == 2)
    }

    @Test("the store stays below its limit; what is larger is refused")
    func limit() async throws {
        let store = FixtureStore(directory: "\(bench.path)/store", sizeLimit: 250)
        for index in 0..<5 {
            let bytes = [UInt8](repeating: UInt8(index), count: 100)
            try await store.put(Self.blob("f\(index)", "here", bytes), from: "here") { (file) async throws(SourceError) in try file.write(bytes) }
        }
        #expect(Directory.names(in: "\(bench.path)/store")?.count == 2)
        let error = await #expect(throws: SourceError.self) {
            try await store.put(Self.blob("f", "here"), from: "here") { (_) async throws(SourceError) in }
        }
        #expect(error?.message.contains("--cache-limit") == true)
    }

    @Test("what a process that died left half written goes with a later file; what another one writes now stays")
    func abandoned() async throws {
        let store = FixtureStore(directory: "\(bench.path)/store")
        let blob = Self.blob("x.bin", "https://example.com/x.bin")
        try Directory.make(store.directory)
        let (old, young) = ("\(store.directory)/\(blob.sha256).new-1-1", "\(store.directory)/\(blob.sha256).new-1-2")
        for path in [old, young] { try FileWriting.replace(path, with: [1], durable: false) }
        let time = timeval(tv_sec: 1_000_000_000, tv_usec: 0)
        try #require(utimes(old, [time, time]) == 0)
        try await store.put(blob, from: "here") { (file) throws(SourceError) in try file.write(Self.data) }
        #expect(store.has(blob) && !FileEntry.exists(old) && FileEntry.exists(young))
    }
}
