import AssayTesting
import Base
import Foundation
import Git
import Testing

@testable import SourceSync

/// Streams made of real repositories, compared with what an export of the same folders writes.
@Suite("Streams from mirrors")
struct MirrorTreesTests {
    let bench: Workbench
    let source: String

    init() async throws {
        bench = try Workbench()
        source = try await bench.repository(files: [
            "t/a/instruction.md": "do\n", "t/a/tests/test.sh": "#!/bin/bash\ntrue\n", "t/a/tests/data/x": "x", "t/a/tests/empty": "",
            "t/a/tests/shared.sh": "-> ../../../shared/common.sh", "t/a/tests/sibling": "-> ../solution/solve.sh", "t/a/tests/inside": "-> data/x",
            "t/a/tests/out": "-> /etc/hosts", "t/a/tests/folder": "-> ../../../shared", "t/a/tests/loop": "-> loop", "t/a/tests/é ü": "name",
            "t/a/tests-more": "sorts beside tests", "t/a/solution/solve.sh": "#!/bin/bash\n", "t/a/environment/Dockerfile": "FROM scratch\n",
            "shared/common.sh": "#!/bin/bash\ncommon\n", "shared/deep/y": "y", "t/linked": "-> a",
        ])
    }

    func origin(_ git: GitClient = GitClient()) -> MirrorTrees {
        MirrorTrees(resolver: SourceResolver(cacheDirectory: "\(bench.path)/mirrors", policy: .local, git: git)) { _, _ in .none }
    }

    func reference(_ path: String, _ parts: [String], commit: GitObjectID? = nil) async throws -> TreeReference {
        let head = try await bench.head(source)
        return TreeReference(
            repository: "file://\(source)", commit: commit ?? head, path: try GitPath(parsing: path),
            parts: try parts.map { try GitPath(parsing: $0) })
    }

    func stream(_ tree: TreeReference, _ origin: MirrorTrees? = nil) async throws -> [(TreeStream.Entry, [UInt8])] {
        let path = "\(bench.path)/stream-\(UUID().uuidString)"
        let sink = try TreeSink(path, limit: .max)
        try await (origin ?? self.origin()).write(tree, for: .init(namespace: "", secret: nil), to: sink)
        return try TreeStreamTests.decoded(try FileReading.bytes(path))
    }

    /// Everything below a directory: kind, mode, content, by path.
    static func listing(_ directory: String) throws -> [String: String] {
        var found: [String: String] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: directory) {
            let full = "\(directory)/\(path)"
            var info = stat()
            #expect(lstat(full, &info) == 0)
            let mode = String(info.st_mode & 0o777, radix: 8)
            switch FileEntry.kind(full) {
            case .link: found[path] = "link \(FileEntry.linkTarget(full) ?? "")"
            case .directory: found[path] = "folder \(mode)"
            default: found[path] = "file \(mode) \(FileReading.whole(full).map { String(decoding: $0, as: UTF8.self) } ?? "?")"
            }
        }
        return found
    }

    static func listing(_ stream: [(TreeStream.Entry, [UInt8])], below part: String) -> [String: String] {
        var found: [String: String] = [:]
        for (entry, content) in stream where entry.path.first == part && entry.path.count > 1 {
            let path = entry.path.dropFirst().joined(separator: "/")
            switch entry.kind {
            case .directory: found[path] = "folder 755"
            case .link(let target): found[path] = "link \(target)"
            case .file(let executable, _): found[path] = "file \(executable ? 755 : 644) \(String(decoding: content, as: UTF8.self))"
            }
        }
        return found
    }

    @Test("each part is what an export of its folder writes: modes, links, links to elsewhere", arguments: ["t/a", "t/linked"])
    func likeExport(path: String) async throws {
        let stream = try await stream(try await reference(path, ["instruction.md", "tests", "solution", "missing"]))
        #expect(stream.first { $0.0.path == ["instruction.md"] }?.1 == Array("do\n".utf8))
        #expect(Set(stream.compactMap(\.0.path.first)) == ["instruction.md", "solution", "tests"])
        let mirror = try await MirrorStore(directory: "\(bench.path)/mirrors").ensure(try await bench.head(source), from: bench.remote(source))
        let tree = try await GitTree.load(try await bench.head(source), in: mirror, git: GitClient())
        for part in ["tests", "solution"] {
            let out = "\(bench.path)/out-\(part)"
            try await TreeExport(tree).export(try GitPath(parsing: "\(path)/\(part)"), to: out)
            let exported = try Self.listing(out)
            #expect(exported.count > 0 && Self.listing(stream, below: part) == exported)
        }
    }

    @Test("a whole folder, and a part deep below it")
    func whole() async throws {
        let all = try await stream(try await reference("t/a", []))
        #expect(all.contains { $0.0.path == ["environment", "Dockerfile"] })
        let deep = try await stream(try await reference("t/a", ["tests/data", "tests/test.sh"]))
        #expect(deep.map { $0.0.path.joined(separator: "/") } == ["tests", "tests/data", "tests/data/x", "tests/test.sh"])
    }

    @Test("the whole repository, and a folder that is a submodule's, and nothing of .git")
    func root() async throws {
        let names = try await stream(try await reference("", [])).map { $0.0.path.joined(separator: "/") }
        #expect(names.contains("t/a/tests/test.sh") && !names.contains { $0.hasPrefix(".git") })
    }

    @Test("a folder or a commit that is not there is told apart from a remote that is not")
    func failures() async throws {
        await #expect { try await stream(try await reference("t/zzz", ["tests"])) } throws: {
            ($0 as? SourceError)?.type == .taskNotFound && ($0 as? SourceError)?.isTransient == false
        }
        await #expect { try await stream(try await reference("t/a/instruction.md", ["tests"])) } throws: {
            ($0 as? SourceError)?.type == .taskNotFound
        }
        await #expect { try await stream(try await reference("t/a", [], commit: GitObjectID(String(repeating: "e", count: 40)))) } throws: {
            ($0 as? SourceError)?.type == .sourceSyncFailed && ($0 as? SourceError)?.isTransient == false
        }
        let gone = TreeReference(
            repository: "file://\(bench.path)/gone", commit: try await bench.head(source), path: try GitPath(parsing: "t/a"))
        await #expect(throws: SourceError.self) { try await stream(gone) }
    }

    @Test("catalogue 42: objects of the mirror are missing: it is cloned again, and the stream is whole")
    func damagedMirror() async throws {
        let tree = try await reference("t/a", ["tests"])
        let before = try await stream(tree)
        let store = MirrorStore(directory: "\(bench.path)/mirrors")
        let mirror = store.path(for: try bench.remote(source))
        // Loose objects or a pack: all of them.
        Directory.removeTree("\(mirror)/objects/pack")
        for name in Directory.names(in: "\(mirror)/objects") ?? [] where name.utf8.count == 2 { Directory.removeTree("\(mirror)/objects/\(name)") }
        let after = try await stream(tree)
        #expect(before.map(\.0) == after.map(\.0) && before.map(\.1) == after.map(\.1))
    }

    @Test("limits hold for what is made, too")
    func limits() async throws {
        let tree = try await reference("t/a", ["tests"])
        for limits in [TreeStream.Limits(entries: 3), .init(bytes: 10)] {
            let small = MirrorTrees(
                resolver: SourceResolver(cacheDirectory: "\(bench.path)/mirrors", policy: .local), limits: limits
            ) { _, _ in .none }
            await #expect { try await stream(tree, small) } throws: { ($0 as? SourceError)?.git == .tooLarge }
        }
    }
}
