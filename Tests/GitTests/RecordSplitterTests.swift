import Testing

@testable import Git

/// Splits git's output into records.
@Suite struct RecordSplitterTests {
    @Test("records are split wherever the pieces of the stream end")
    func splitter() {
        let text = Array("one\0two\0\0three\0rest".utf8)
        for size in 1...text.count {
            var splitter = RecordPieces(size: size)
            #expect(splitter.read(text) == ["one", "two", "", "three", "rest"], "\(size)")
        }
    }

    @Test("a receiver that has stopped gets no more records")
    func ends() {
        var splitter = RecordSplitter(separator: 0)
        var count = 0
        let ended = splitter.feed(Array("a\0b\0c\0".utf8)) { _ in
            count += 1
            return count < 2
        }
        #expect(ended && splitter.ended && count == 2)
        #expect(
            !splitter.feed(Array("d\0".utf8)) { _ in
                count += 1; return true
            })
        splitter.finish { _ in
            count += 1; return true
        }
        #expect(count == 2)
    }

    @Test("a commit is parsed from git log's output, and other text is not a commit")
    func views() throws {
        func view(_ text: String) -> LoggedCommit? { Array(text.utf8).withUnsafeBytes { CommitView(record: $0).map(LoggedCommit.init) } }
        let id = String(repeating: "0a", count: 20)
        let commit = try #require(view("\(id)\n1700000000\nRun: x\n\nA: b\n"))
        #expect(commit.id.hex == id && commit.date.seconds == 1_700_000_000 && commit.message == Array("Run: x\n\nA: b\n".utf8))
        #expect(view("\(id)\n-5\n")?.date.seconds == -5)
        for text in ["", "x", "\(id)", "\(id)\n", "\(id)\n12", "\(id)\n\nx", "\(id)\n12x\nx", "short\n12\nx"] {
            #expect(view(text) == nil, "\(text)")
        }
    }
}

/// Feeds bytes to a splitter in pieces of a size.
private struct RecordPieces {
    let size: Int

    mutating func read(_ bytes: [UInt8]) -> [String] {
        var found: [String] = []
        var splitter = RecordSplitter(separator: 0)
        for start in stride(from: 0, to: bytes.count, by: size) {
            _ = splitter.feed(Array(bytes[start..<min(start + size, bytes.count)])) { record in
                found.append(String(decoding: record, as: UTF8.self))
                return true
            }
        }
        splitter.finish { record in
            found.append(String(decoding: record, as: UTF8.self))
            return true
        }
        return found
    }
}
