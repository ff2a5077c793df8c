import Base
import Subprocess
import Testing

@testable import SourceSync

@Suite("The stream of a tree")
struct TreeStreamTests {
    typealias Entry = TreeStream.Entry

    /// A stream with a right digest, whatever its entries are.
    static func forged(_ entries: [(kind: Character, path: [UInt8], size: UInt64, content: [UInt8])], end: Bool = true) -> [UInt8] {
        var bytes = TreeStream.magic
        for entry in entries {
            bytes.append(entry.kind.asciiValue ?? 0)
            bytes += [UInt8(entry.path.count >> 8), UInt8(entry.path.count & 255)]
            bytes += stride(from: UInt64(56), through: 0, by: -8).map { UInt8(truncatingIfNeeded: entry.size >> $0) }
            bytes += entry.path + entry.content
        }
        guard end else { return bytes }
        bytes.append(UInt8(ascii: "e"))
        var hash = SHA256()
        hash.update(bytes)
        return bytes + hash.finalize()
    }

    static func forged(_ entries: [(Character, String)]) -> [UInt8] {
        forged(entries.map { ($0.0, Array($0.1.utf8), $0.0 == "l" ? 1 : 0, $0.0 == "l" ? [UInt8(ascii: "x")] : []) })
    }

    static func encoded(_ entries: [(Entry, [UInt8])], limits: TreeStream.Limits = .init()) throws -> [UInt8] {
        var encoder = TreeStreamEncoder(limits: limits)
        var bytes = encoder.begin()
        for (entry, content) in entries {
            bytes += try encoder.entry(entry)
            bytes += try encoder.content(content[...])
        }
        return bytes + (try encoder.end())
    }

    /// What a stream says, read in pieces of the given size.
    static func decoded(_ bytes: [UInt8], pieces: Int = .max, limits: TreeStream.Limits = .init()) throws -> [(Entry, [UInt8])] {
        var decoder = TreeStreamDecoder(limits: limits)
        var found: [(Entry, [UInt8])] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(pieces)
            rest = rest.dropFirst(piece.count)
            try decoder.feed(piece) { event in
                switch event {
                case .entry(let entry): found.append((entry, []))
                case .content(let content): found[found.count - 1].1 += content
                }
            }
        }
        _ = try decoder.finish()
        return found
    }

    static let sample: [(Entry, [UInt8])] = [
        (Entry(path: ["a"], kind: .directory), []),
        (Entry(path: ["a", "b.txt"], kind: .file(executable: false, size: 3)), Array("one".utf8)),
        (Entry(path: ["a", "empty"], kind: .file(executable: true, size: 0)), []),
        (Entry(path: ["a", "out"], kind: .link("../../../etc/passwd")), []),
        // Sorted name by name: as text this is before "a/b.txt".
        (Entry(path: ["a.d"], kind: .directory), []),
        (Entry(path: ["a.d", "é"], kind: .file(executable: false, size: 100_000)), [UInt8](repeating: 9, count: 100_000)),
        (Entry(path: ["z z"], kind: .link("a")), []),
    ]

    @Test("what is written is read, in pieces of any size", arguments: [1, 2, 3, 7, 11, 12, 64, 4096, .max])
    func roundTrip(pieces: Int) throws {
        let bytes = try Self.encoded(Self.sample)
        let found = try Self.decoded(bytes, pieces: pieces)
        #expect(found.map(\.0) == Self.sample.map(\.0))
        #expect(found.map(\.1) == Self.sample.map(\.1))
    }

    @Test("an empty tree")
    func empty() throws { #expect(try Self.decoded(try Self.encoded([])).isEmpty) }

    struct Hostile: Sendable, CustomTestStringConvertible {
        var name: String
        var bytes: [UInt8]
        var testDescription: String { name }
        init(_ name: String, _ bytes: [UInt8]) { (self.name, self.bytes) = (name, bytes) }
        init(_ name: String, _ entries: [(Character, String)]) { self.init(name, forged(entries)) }
    }

    static let hostile: [Hostile] = [
        Hostile("..", [("f", "..")]), Hostile("a/..", [("d", "a"), ("f", "a/..")]), Hostile("../x", [("d", ".."), ("f", "../x")]),
        Hostile(".", [("f", ".")]), Hostile("absolute", [("f", "/etc/passwd")]), Hostile("slash at the end", [("d", "a/")]),
        Hostile("two slashes", [("d", "a"), ("f", "a//b")]), Hostile("NUL", [("f", "a\0b")]), Hostile("newline", [("f", "a\nb")]),
        Hostile(".git", [("d", ".git")]), Hostile(".GIT/config", [("d", ".GIT"), ("f", ".GIT/config")]), Hostile("git~1", [("f", "git~1")]),
        Hostile(".git with an ignored character", [("d", ".g\u{200C}it")]),
        Hostile("the same file twice", [("f", "a"), ("f", "a")]), Hostile("file, then folder", [("f", "a"), ("d", "a")]),
        Hostile("out of order", [("f", "b"), ("f", "a")]), Hostile("out of order below", [("d", "a"), ("f", "a/b"), ("f", "a/a")]),
        Hostile("below a file", [("f", "a"), ("f", "a/b")]), Hostile("below a link", [("l", "a"), ("f", "a/b")]),
        Hostile("below a link of a folder", [("d", "a"), ("l", "a/b"), ("f", "a/b/c")]),
        Hostile("below a folder that is missing", [("f", "a/b")]), Hostile("below a folder of another", [("d", "a"), ("d", "a/b"), ("f", "c/b")]),
        Hostile("an empty path", [("f", "")]), Hostile("a long name", [("f", String(repeating: "a", count: 256))]),
        Hostile("a long path", [("f", Array(repeating: String(repeating: "a", count: 200), count: 21).joined(separator: "/"))]),
        Hostile("not UTF-8", forged([("f", [0xFF, 0xFE], 0, [])])),
        Hostile("a link to nothing", forged([("l", Array("a".utf8), 0, [])])), Hostile("NUL in a link", forged([("l", [97], 3, [98, 0, 99])])),
        Hostile("a long link", forged([("l", [97], 4096, [UInt8](repeating: 98, count: 4096))])),
        Hostile("a link that is not UTF-8", forged([("l", [97], 1, [0xFF])])),
        Hostile("a folder with content", forged([("d", [97], 1, [98])])), Hostile("a device", forged([("c", [97], 0, [])])),
        Hostile("a size of 64 bits", forged([("f", [97], .max, [])], end: false)),
        Hostile("a size beyond the limit", forged([("f", [97], 1 << 40, [])], end: false)),
        Hostile("sizes that overflow together", forged([("f", [97], 0, []), ("f", [98], UInt64(Int.max), [])], end: false)),
        Hostile("another version", Array("assay-tree 2\n".utf8) + [UInt8](repeating: 0, count: 33)),
        Hostile("no stream at all", Array("<html><body>502 Bad Gateway</body></html>".utf8)), Hostile("nothing", [UInt8]()),
    ]

    @Test("a hostile stream is refused", arguments: hostile)
    func hostileStreams(_ it: Hostile) {
        for pieces in [1, 5, .max] { #expect(throws: TreeStreamError.self, "\(pieces)") { try Self.decoded(it.bytes, pieces: pieces) } }
    }

    @Test("every truncation, every damaged byte and every byte too many is noticed")
    func damage() throws {
        let bytes = try Self.encoded(Array(Self.sample.prefix(4)))
        for length in 0..<bytes.count { #expect(throws: TreeStreamError.self) { try Self.decoded(Array(bytes.prefix(length))) } }
        for at in bytes.indices {
            var damaged = bytes
            damaged[at] ^= 1 << (at % 8)
            #expect(throws: TreeStreamError.self, "byte \(at)") { try Self.decoded(damaged) }
        }
        #expect(throws: TreeStreamError.self) { try Self.decoded(bytes + [0]) }
        #expect(throws: TreeStreamError.self) { try Self.decoded(bytes + bytes) }
    }

    @Test("after an error nothing more is handed over")
    func staysFailed() throws {
        var decoder = TreeStreamDecoder()
        #expect(throws: TreeStreamError.self) { try decoder.feed(Self.forged([("f", "..")])) { _ in } }
        var events = 0
        #expect(throws: TreeStreamError.self) { try decoder.feed(try Self.encoded(Self.sample)) { _ in events += 1 } }
        #expect(events == 0)
        #expect(throws: TreeStreamError.self) { try decoder.finish() }
    }

    @Test("limits: of entries and of bytes, at the limit and above it")
    func limits() throws {
        let two = Array(Self.sample.prefix(3))
        let bytes = try Self.encoded(two)
        #expect(try Self.decoded(bytes, limits: .init(entries: 3, bytes: 3)).count == 3)
        for limits in [TreeStream.Limits(entries: 2, bytes: 3), .init(entries: 3, bytes: 2)] {
            #expect(throws: TreeStreamError.self) { try Self.decoded(bytes, limits: limits) }
            #expect(throws: TreeStreamError.self) { try Self.encoded(two, limits: limits) }
        }
    }

    @Test("the encoder refuses what no decoder would read")
    func encoderRefuses() {
        for entries in [
            [Entry(path: [".."], kind: .directory)], [Entry(path: ["a", "b"], kind: .directory)], [Entry(path: [], kind: .directory)],
            [Entry(path: ["b"], kind: .directory), Entry(path: ["a"], kind: .directory)], [Entry(path: ["a/b"], kind: .directory)],
        ] { #expect(throws: TreeStreamError.self) { try Self.encoded(entries.map { ($0, []) }) } }
        let file = Entry(path: ["a"], kind: .file(executable: false, size: 2))
        for content in [[UInt8](), [1], [1, 2, 3]] { #expect(throws: TreeStreamError.self) { try Self.encoded([(file, content)]) } }
    }

    /// Seconds of fuzzing; `ASSAY_FUZZ_SECONDS` makes it longer.
    static let fuzzSeconds = currentEnvironment()["ASSAY_FUZZ_SECONDS"].flatMap { Double($0) } ?? 1

    @Test("fuzzing: streams with changed bytes, with right and wrong digests, never lead out, and never trap")
    func fuzz() throws {
        var random = SeededRandom(seed: 20_261_127)
        let whole = try Self.encoded(Array(Self.sample.prefix(5)))
        let pieces: [(Character, String)] = [
            ("d", "a"), ("f", "a/b"), ("l", "a/c"), ("d", "a/d"), ("f", "a/d/.git"), ("x", ".."), ("d", "b"), ("f", "b/../c"), ("f", "c"), ("e", ""),
        ]
        let end = SystemTime().monotonic() + Self.fuzzSeconds
        var (runs, whole_ones) = (0, 0)
        while SystemTime().monotonic() < end || runs < 200 {
            var bytes: [UInt8]
            if random.next() % 2 == 0 {
                bytes = whole
                for _ in 0...(random.next() % 4) { bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next()) }
                if random.next() % 4 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
                // A right digest over the damage: what a hostile server would send.
                if random.next() % 2 == 0, bytes.count > 40 {
                    var hash = SHA256()
                    hash.update(bytes.dropLast(32))
                    bytes = bytes.dropLast(32) + hash.finalize()
                }
            } else {
                bytes = Self.forged((0...(random.next() % 6)).map { _ in pieces[Int(random.next() % UInt64(pieces.count))] })
            }
            var decoder = TreeStreamDecoder(limits: .init(entries: 100, bytes: 1 << 20))
            var seen = Set<[String]>()
            do {
                let size = Int(random.next() % 40) + 1
                var rest = bytes[...]
                while !rest.isEmpty {
                    let piece = rest.prefix(size)
                    rest = rest.dropFirst(piece.count)
                    try decoder.feed(piece) { event in
                        guard case .entry(let entry) = event else { return }
                        #expect(seen.insert(entry.path).inserted)
                        #expect(entry.path.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." && !$0.contains("/") && $0.lowercased() != ".git" })
                    }
                }
                _ = try decoder.finish()
                whole_ones += 1
            } catch is TreeStreamError {}
            runs += 1
        }
        #expect(runs > 100 && whole_ones > 0, "\(runs) runs, \(whole_ones) whole")
        print("fuzzed \(runs) streams, \(whole_ones) of them whole")
    }
}
