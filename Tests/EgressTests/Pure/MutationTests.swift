import Base
import Testing

@testable import Egress

/// Requests with a few bytes changed, many thousand of them.
@Suite("Changed requests")
struct MutationTests {
    private static let seeds = [
        "POST http://a.example:81/p?q HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: close, X\r\nX: y\r\n\r\n",
        "POST http://a.example/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
        "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic eDp5\r\n\r\n",
        "GET /.assay/denials HTTP/1.0\r\nAuthorization: Bearer x\r\n\r\n",
    ].map { Array($0.utf8) }
    private static let bytes = Array("\r\n\t :;,0159abXhH/@#?%*[].\"\0\u{7F}".utf8) + [0x80, 0xFF]

    private func mutated(_ seed: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var text = seed
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let at = Int.random(in: 0..<text.count, using: &random)
            let byte = Self.bytes[Int.random(in: 0..<Self.bytes.count, using: &random)]
            switch Int.random(in: 0..<4, using: &random) {
            case 0: text[at] = byte
            case 1: text.insert(byte, at: at)
            case 2: text.remove(at: at)
            default:
                // A line twice, somewhere else.
                let line = text[..<at].lastIndex(of: 10).map { $0 + 1 } ?? 0
                let end = text[at...].firstIndex(of: 10) ?? text.count - 1
                text.insert(contentsOf: Array(text[line...end]), at: Int.random(in: 0..<text.count, using: &random))
            }
        }
        return text
    }

    private func head(_ bytes: [UInt8], pieces: Int) throws(HTTPSyntaxError) -> (request: ProxyRequest, rest: [UInt8])? {
        var collector = HeadCollector(limit: 4096)
        var left = bytes[...]
        while !left.isEmpty {
            collector.append(left.prefix(pieces))
            left = left.dropFirst(pieces)
            if let lines = try collector.takeHead() { return (try ProxyRequest(lines: lines), collector.takeRest() + left) }
        }
        return nil
    }

    @Test("what is accepted is passed on as one request with the same body, however it arrives", arguments: 0..<4)
    func mutations(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        var accepted = 0
        for _ in 0..<5000 {
            let text = mutated(Self.seeds[seed], &random)
            let whole = Result { () throws(HTTPSyntaxError) in try head(text, pieces: text.count) }
            let byOne = Result { () throws(HTTPSyntaxError) in try head(text, pieces: 1) }
            switch (whole, byOne) {
            case (.success(let a?), .success(let b?)):
                #expect(a.request == b.request && a.rest == b.rest)
                accepted += 1
                guard case .forward(_, let authority, let path) = a.request.target else { continue }
                let again = try head(ForwardedHeads.request(a.request, authority: authority, path: path), pieces: 1 << 20)
                // A server sees a path where the proxy saw a URL.
                #expect(again?.rest.isEmpty == true && again?.request.method == a.request.method && again?.request.framing == a.request.framing)
                #expect(again?.request.fields.all("host").map(\.text) == [authority])
                #expect(again?.request.fields.all("proxy-authorization").isEmpty == true)
            case (.success(nil), .success(nil)), (.failure, .failure): break
            default: Issue.record("read differently in pieces: \(String(decoding: text, as: UTF8.self).debugDescription)")
            }
        }
        #expect(accepted > 100)
    }

    @Test("a body ends at the same place however it arrives")
    func bodies() {
        var random = SeededRandom(seed: 99)
        let seed = Array("5;x=y\r\nhello\r\n00a\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n".utf8)
        for _ in 0..<10_000 {
            let text = mutated(seed, &random) + Array("GET /".utf8)
            let ends = [1, 3, text.count].map { size -> Int? in
                var scanner = BodyScanner(.chunked)
                var total = 0
                while total < text.count, !scanner.isComplete {
                    guard let taken = try? scanner.take(text[total..<min(text.count, total + size)]) else { return -1 }
                    total += taken
                }
                return scanner.isComplete ? total : nil
            }
            #expect(ends.allSatisfy { $0 == ends[0] }, "\(String(decoding: text, as: UTF8.self).debugDescription): \(ends)")
        }
    }
}
