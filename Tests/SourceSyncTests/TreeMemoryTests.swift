import AssayTesting
import Base
import Foundation
import Git
import HTTPServing
import Subprocess
import Testing

@testable import SourceSync

/// A large tree goes through the service in pieces: from git to the file, from the file to the client.
@Suite("The cache service's memory")
struct TreeMemoryTests {
    /// MB of the tree; `ASSAY_LARGE_TREE_MB` makes it larger.
    private static let size = currentEnvironment()["ASSAY_LARGE_TREE_MB"].flatMap { Int($0) } ?? 96
    /// MB that this process may need in addition, with the clients and the other tests that run at the same time.
    private static let bound = 72

    /// The largest resident memory of this process in MB since `forgetPeak`.
    private static func peak() throws -> Int {
        let status = try #require(FileReading.text("/proc/self/status"))
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        return try #require(line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }) / 1024
    }

    /// proc(5), clear_refs.
    private static func forgetPeak() throws { try FileWriting.write(Array("5".utf8), to: "/proc/self/clear_refs") }

    @Test("a tree that is much larger than the bound is made and sent to several clients at once")
    func large() async throws {
        let bench = try Workbench()
        let source = try await bench.repository(files: ["t/tests/test.sh": "#!/bin/bash\n"])
        let piece = [UInt8](repeating: 0, count: 1 << 20)
        let file = try #require(FileHandle(forWritingTo: "\(source)/t/tests/large.bin"))
        for _ in 0..<Self.size { file.write(Data(piece)) }
        try file.close()
        let commit = try await bench.commit(source)
        let cache = TreeCache(store: TreeStore(directory: "\(bench.path)/trees"), key: TreeCacheTests.key)
        cache.use(MirrorTrees(resolver: SourceResolver(cacheDirectory: "\(bench.path)/mirrors", policy: .local)) { _, _ in .none })
        let server = cache.server()
        let port = try server.start(port: 0)
        defer { server.stop() }
        let tree = TreeReference(
            repository: "file://\(source)", commit: commit, path: try GitPath(parsing: "t"), parts: [try GitPath(parsing: "tests")])

        try Self.forgetPeak()
        let before = try Self.peak()
        let received = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<3 {
                group.addTask {
                    let token = cache.token(for: [tree], pod: "p\(number)", credential: TreeCacheTests.credential, seconds: 600)
                    let client = TreeClient(address: .http("http://127.0.0.1:\(port)"), token: token)
                    while true {
                        do { return try await client.read(tree, within: 600) { _, _ in }.bytes } catch TreeClientError.unavailable {
                            // The tree is being made.
                        } catch TreeClientError.unreachable {
                            // A busy machine does not answer in time.
                        }
                    }
                }
            }
            return try await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(received == Array(repeating: (Self.size << 20) + 12, count: 3))
        let grown = try Self.peak() - before
        print("a tree of \(Self.size) MB, made once and sent three times: \(grown) MB more memory")
        #expect(grown < Self.bound, "\(grown) MB")
    }
}

extension FileHandle {
    fileprivate convenience init?(forWritingTo path: String) {
        guard FileManager.default.createFile(atPath: path, contents: nil) else { return nil }
        self.init(forWritingAtPath: path)
    }
}
