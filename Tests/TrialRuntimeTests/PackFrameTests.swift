import Base
import EvalModel
import Testing

@testable import TrialRuntime

@Suite("Pack frames")
struct PackFrameTests {
    static let bytes: [UInt8] = (0..<50_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 3) }
    static let pack = TrialReport.Pack(
        sha256: SHA256.hex(of: bytes), bytes: bytes.count, tree: String(repeating: "a", count: 40))

    func parse(_ log: [UInt8], chunk: Int = 1000) -> PackFrameParser.Result {
        var parser = PackFrameParser(expected: Self.pack)
        var rest = log[...]
        while !rest.isEmpty {
            parser.feed(rest.prefix(chunk))
            rest = rest.dropFirst(chunk)
        }
        return parser.finish()
    }

    func isMissing(_ result: PackFrameParser.Result, _ words: String) -> Bool {
        if case .missing(let error) = result { return error.type == .artifactTruncated && error.message.contains(words) }
        return false
    }

    @Test("a frame among other lines, in chunks of any size", arguments: [1, 7, 4096, 1 << 20])
    func among(_ chunk: Int) {
        let frame = PackFrame.encode(Self.bytes, description: Self.pack)
        #expect(frame.split(separator: 0x0A).allSatisfy { $0.count <= PackFrame.lineLength })
        let log = Array("starting\n".utf8) + frame + Array("bye\n".utf8)
        #expect(parse(log, chunk: chunk) == .pack(Self.bytes))
    }

    @Test("catalogue 24: a log whose head or tail is gone is flagged as truncated")
    func rotated() {
        let frame = PackFrame.encode(Self.bytes, description: Self.pack)
        #expect(isMissing(parse(Array(frame.dropFirst(20_000))), "beginning"))
        #expect(isMissing(parse(Array(frame.dropLast(20_000))), "within the pack"))
        #expect(isMissing(parse(Array(frame.dropLast(1))), "within the pack"))
        #expect(isMissing(parse([]), "beginning"))
        let middle = Array(frame.prefix(13_000)) + Array(frame.dropFirst(26_000))
        #expect(isMissing(parse(middle), "damaged"))
    }

    @Test("catalogue 53: forged frames and markers are not trusted")
    func forged() {
        let frame = PackFrame.encode(Self.bytes, description: Self.pack)
        let lie = Array("lie".utf8)
        let otherPack = TrialReport.Pack(sha256: SHA256.hex(of: lie), bytes: 3, tree: Self.pack.tree)
        let other = PackFrame.encode(lie, description: otherPack)
        // The right header over other bytes.
        let stolen = PackFrame.encode(lie, description: Self.pack)
        #expect(parse(other + frame + other) == .pack(Self.bytes))
        #expect(parse(stolen + frame + stolen) == .pack(Self.bytes))
        #expect(parse(frame + Array(frame.prefix(15_000))) == .pack(Self.bytes))
        #expect(isMissing(parse(other), "not the one"))
        #expect(isMissing(parse(stolen), "damaged"))
        let marker = Array("\(PackFrame.trailer)\n".utf8)
        #expect(parse(marker + frame + marker) == .pack(Self.bytes))
        var endless = Array("\(PackFrame.header(Self.pack))\n".utf8)
        for _ in 0..<100 { endless += Array(repeating: UInt8(ascii: "A"), count: 12288) + [0x0A] }
        #expect(isMissing(parse(endless + marker), "damaged"))
    }
}
