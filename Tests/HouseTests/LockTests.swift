import Foundation
import Testing

/// One idiom for locks: `Locked` of Base, and `ThreadCondition` for threads that wait.
@Suite struct LockTests {
    private static let idioms = [
        "_unsafeLock", "_unsafeUnlock", "import Synchronization", "Mutex<", "NSLock", "pthread_mutex", "pthread_rwlock", "pthread_spin", "os_unfair",
    ]
    private static let homes = ["Base/Locked.swift", "Base/Threads/ThreadCondition.swift"]

    @Test func sourcesUseTheLocksOfBase() throws {
        let files = try #require(FileManager.default.enumerator(atPath: DirectionTests.sources.path))
        var read = 0
        while let file = files.nextObject() as? String {
            guard file.hasSuffix(".swift") else { continue }
            read += 1
            let text = try String(contentsOf: DirectionTests.sources.appending(path: file), encoding: .utf8)
            if file == Self.homes[0] { #expect(!text.contains("_unsafe"), "\(file)") }
            guard !Self.homes.contains(file) else { continue }
            for idiom in Self.idioms { #expect(!text.contains(idiom), "Sources/\(file) has \(idiom)") }
        }
        #expect(read > 300)
    }
}
