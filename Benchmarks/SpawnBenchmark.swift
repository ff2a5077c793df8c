import Base
import Glibc
import Subprocess

/// What starting a process costs one that holds much memory, which git's caller does when many trials end together.
enum SpawnBenchmark {
    private static let megabytes = 500

    static func run() async throws {
        func spawns() async throws {
            for _ in 0..<200 { _ = try await Command("/bin/true").run() }
        }
        // Touched, and in small pages: a fork would copy an entry for each of them.
        let size = megabytes << 20
        let small = try await seconds(spawns)
        guard let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), memory != MAP_FAILED else {
            throw BenchmarkError("no \(megabytes) MB of memory")
        }
        defer { munmap(memory, size) }
        madvise(memory, size, MADV_NOHUGEPAGE)
        for offset in stride(from: 0, to: size, by: 4096) { memory.storeBytes(of: 1, toByteOffset: offset, as: UInt8.self) }
        let large = try await seconds(spawns)
        row(
            "a child process beside \(megabytes) MB of own memory, against beside none",
            "ratio \(shown(large / small))  (\(shown(large / 200)) s, \(shown(small / 200)) s)")
    }
}
