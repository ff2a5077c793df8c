import AssayTesting
import Base
import Foundation
import Subprocess

/// A bare repository of many files that do not compress, and a task among them.
struct LargeRepository {
    static let task = "tasks/one"
    /// Of the task's own tests.
    private static let taskFiles = 20
    private static let taskFileBytes = 50_000

    let path: String

    /// - Parameters:
    ///   - bytes: of all files together.
    ///   - files: how many there are, 250 in each folder.
    init(at path: String, bytes: Int, files: Int) async throws {
        self.path = path
        try await TestGit.run(Path.parent(of: path), ["init", "--quiet", "--bare", "-b", "main", path])
        for (key, value) in [("uploadpack.allowFilter", "true"), ("core.compression", "0"), ("pack.compression", "0")] {
            try await TestGit.run(path, ["config", key, value])
        }
        let stream = "\(path).stream"
        defer { unlink(stream) }
        try Self.write(to: stream, size: bytes / files, files: files)
        let made = try await Command("git", ["--git-dir", path, "fast-import", "--quiet"], standardInput: .file(path: stream)).run()
        guard made.succeeded else { throw BenchmarkError("git fast-import: \(made.stderrText)") }
    }

    private static func write(to stream: String, size: Int, files: Int) throws {
        guard FileManager.default.createFile(atPath: stream, contents: nil), let out = FileHandle(forWritingAtPath: stream) else {
            throw BenchmarkError("cannot write \(stream)")
        }
        // A window into one buffer, and a number: no two files are alike, and none compresses.
        var numbers = SystemRandomNumberGenerator()
        var noise = [UInt8](repeating: 0, count: (8 << 20) + max(size, taskFileBytes))
        for index in stride(from: 0, to: noise.count - 8, by: 8) {
            let word = numbers.next()
            for byte in 0..<8 { noise[index + byte] = UInt8(truncatingIfNeeded: word >> UInt64(8 * byte)) }
        }
        var chunk = Array("commit refs/heads/main\ncommitter bench <bench@localhost> 1700000000 +0000\ndata 5\nlarge\n".utf8)
        func add(_ path: String, _ content: ArraySlice<UInt8>, mode: String = "100644") throws {
            chunk += "M \(mode) inline \(path)\ndata \(content.count)\n".utf8
            chunk += content
            chunk.append(0x0A)
            guard chunk.count > 4 << 20 else { return }
            try out.write(contentsOf: chunk)
            chunk = []
        }
        for number in 0..<files {
            let start = Int.random(in: 0..<(8 << 20), using: &numbers)
            let head = Array("\(number)\n".utf8)
            try add("files/\(number / 250)/\(number)", ArraySlice(head + noise[start..<(start + max(0, size - head.count))]))
        }
        for (name, text) in [
            ("task.toml", "version = \"1.0\"\n[environment]\ndocker_image = \"rootfs:/\"\n"), ("instruction.md", "Do it.\n"),
            ("solution/solve.sh", "#!/bin/bash\ntrue\n"), ("tests/test.sh", "#!/bin/bash\necho 1 > /logs/verifier/reward.txt\n"),
        ] { try add("\(task)/\(name)", ArraySlice(text.utf8), mode: name.hasSuffix(".sh") ? "100755" : "100644") }
        for number in 0..<taskFiles { try add("\(task)/tests/data/\(number)", noise[(number * taskFileBytes)..<((number + 1) * taskFileBytes)]) }
        try out.write(contentsOf: chunk + [0x0A])
        try out.close()
    }
}
