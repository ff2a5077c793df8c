import Testing

@testable import Egress

@Suite("Bodies in chunks")
struct ChunkScannerTests {
    /// How many bytes belong to the body when they arrive in pieces; nil while it is not complete.
    private func end(of text: String, pieces: Int) throws -> Int? {
        var scanner = BodyScanner(.chunked)
        var total = 0
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty, !scanner.isComplete {
            let piece = rest.prefix(pieces)
            let taken = try scanner.take(piece)
            total += taken
            if taken < piece.count { #expect(scanner.isComplete) }
            rest = rest.dropFirst(max(1, taken))
        }
        return scanner.isComplete ? total : nil
    }

    @Test(arguments: [
        "0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "00A\r\n0123456789\r\n0\r\n\r\n", "1;a=b\r\nx\r\n0\r\n\r\n", "1 \r\nx\r\n0\r\n\r\n",
        "1\r\n\n\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n", "2\r\n\r\n\r\n0;last\r\n\r\n",
    ])
    func complete(text: String) throws {
        for size in [1, 2, 3, 1000] {
            #expect(try end(of: text, pieces: size) == text.utf8.count)
            #expect(try end(of: text + "GET / HTTP/1.1", pieces: size) == text.utf8.count, "what follows is not the body's")
        }
        #expect(try end(of: String(decoding: text.utf8.dropLast(), as: UTF8.self), pieces: 4) == nil)
    }

    @Test(arguments: [
        "\r\n", "g\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", "1\nx\n0\n\n", "1\r\nxy\r\n", "1\r\nx\n0\r\n\r\n", "1;\n\r\nx\r\n", "1\rx",
        "0\r\n folded: x\r\n\r\n",
        "0\r\nno colon\r\n\r\n", "0\r\nA: b\nC: d\r\n\r\n", "0\r\n\n", "fffffffffffff\r\n", "1;\u{1}\r\nx\r\n", "0\r\nA: b\rC\r\n\r\n",
    ])
    func malformed(text: String) {
        for size in [1, 1000] { #expect(throws: HTTPSyntaxError.self) { try end(of: text, pieces: size) } }
    }

    @Test func linesAndTrailersAreBounded() {
        #expect(throws: HTTPSyntaxError.self) { try end(of: "1;" + String(repeating: "x", count: 5000), pieces: 100) }
        #expect(throws: HTTPSyntaxError.self) { try end(of: "0\r\n" + String(repeating: "A: b\r\n", count: 4000), pieces: 100) }
    }
}
