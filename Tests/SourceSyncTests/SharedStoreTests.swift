import AssayTesting
import Base
import Git
import Glibc
import Subprocess
import Testing

@testable import HTTPServing
@testable import SourceSync

/// A store of trees that another process writes to.
@Suite("A shared cache")
struct SharedStoreTests {
    private let bench: Workbench

    init() throws { bench = try Workbench() }

    @Test("catalogue 57: links that another process swaps into the store are not followed; the tree is made anew")
    func swappedLinks() async throws {
        let place = try await bench.repository(files: ["tasks/a/task.toml": "right\n"])
        let head = try await bench.head(place)
        try FileWriting.replace("\(bench.path)/secret", with: Array("secret of the machine".utf8))
        let resolver = SourceResolver(cacheDirectory: "\(bench.path)/cache", policy: [.local])
        let store = TreeStore(directory: "\(bench.path)/trees")
        let cache = TreeCache(store: store, key: TreeCacheTests.key, time: SystemTime())
        cache.use(MirrorTrees(resolver: resolver) { _, _ in .none })
        let tree = TreeReference(repository: "file://\(place)", commit: head, path: try GitPath(parsing: "tasks/a"))
        let token = cache.token(for: [tree], pod: "pod", credential: TreeCacheTests.credential, seconds: 3600)
        func read() async throws -> [UInt8]? {
            let answer = await TreeCacheTests.ask(cache, tree, token)
            guard case .file(let file) = answer.body else { return nil }
            var bytes: [UInt8] = []
            while let piece = FileReading.piece(file.descriptor, at: bytes.count, count: 1 << 16) { bytes += piece }
            return bytes
        }
        // A busy machine may need longer than an answer waits; the client then asks again.
        func readWhenMade() async throws -> [UInt8]? {
            for _ in 0..<60 {
                if let bytes = try await read() { return bytes }
                try await Task.sleep(for: .seconds(1))
            }
            return nil
        }
        let right = try #require(try await readWhenMade())
        let file = store.path(tree.id)
        try #require(FileEntry.exists(file))
        // The other process swaps the file for a link and back, as fast as it can.
        let swapping = try RunningCommand.start(
            Command("sh", ["-c", "while :; do ln -s '\(bench.path)/secret' '\(file).l' && mv -f '\(file).l' '\(file)'; done"]))
        var answers = 0
        for _ in 0..<100 {
            guard let bytes = try await read() else { continue }
            answers += 1
            #expect(bytes == right)
        }
        swapping.signal(SIGKILL)
        _ = await swapping.wait()
        #expect(answers > 0)
        #expect(try await readWhenMade() == right)
        #expect(FileReading.whole("\(bench.path)/secret") == Array("secret of the machine".utf8))
    }
}
