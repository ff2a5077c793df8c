import Foundation
import Testing

/// Only a reconciler writes the status of its objects and decides about finalizers. The executable's commands ask for changes (spec and
/// annotations, as a user does), so that there are never two opinions on what has happened to a job.
@Suite struct OneWriterTests {
    static let traces = ["\"finalizers\"", "Finalizers(", "subresource:", "updateStatus(", "StatusWriter("]

    @Test func theExecutableWritesNoStatusAndNoFinalizer() throws {
        let folder = DirectionTests.sources.appending(path: "assay")
        let files = try #require(FileManager.default.enumerator(atPath: folder.path))
        var read = 0
        while let file = files.nextObject() as? String {
            guard file.hasSuffix(".swift") else { continue }
            read += 1
            let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
            for trace in Self.traces { #expect(!text.contains(trace), "Sources/assay/\(file) has \(trace)") }
        }
        #expect(read > 30)
    }
}
