import Foundation
import Testing

/// Small files with one subject: none has more than 400 lines, but for tables of data and generated files.
@Suite struct FileLengthTests {
    private static let data = ["KubeSchemaTests/SchemaTables.swift"]

    @Test(arguments: ["Sources", "Tests", "Benchmarks"])
    func noFileIsLong(folder: String) throws {
        let root = DirectionTests.sources.deletingLastPathComponent().appending(path: folder)
        let files = try #require(FileManager.default.enumerator(atPath: root.path))
        var read = 0
        while let file = files.nextObject() as? String {
            guard file.hasSuffix(".swift"), !file.hasSuffix(".generated.swift"), !Self.data.contains(file) else { continue }
            read += 1
            let lines = try Data(contentsOf: root.appending(path: file)).count { $0 == 0x0A }
            #expect(lines <= 400, "\(folder)/\(file) has \(lines) lines: split it by subject")
        }
        #expect(read > 3)
    }
}
