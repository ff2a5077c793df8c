/// Replaces secret values in bytes.
///
/// Only exact values are looked for, of at least `minimumLength` bytes: shorter ones would hit by chance and destroy
/// what is published; their number is reported (`tooShort`). Patterns are not guessed at: that was tried elsewhere and
/// dropped for its false positives.
public struct Redactor: Sendable {
    public static let minimumLength = 8
    public static let replacement = Array("[redacted]".utf8)

    private let needles: [[UInt8]]
    private let first: [Bool]
    /// How many of the secrets are too short to be looked for.
    public let tooShort: Int

    public init(secrets: [String]) { self.init(secrets: secrets.map { Array($0.utf8) }) }

    public init(secrets: [[UInt8]]) {
        let unique = Set(secrets.filter { !$0.isEmpty })
        // Longest first: a secret that contains another is replaced whole.
        needles = unique.filter { $0.count >= Self.minimumLength }.sorted { $0.count > $1.count }
        tooShort = unique.count { $0.count < Self.minimumLength }
        var first = [Bool](repeating: false, count: 256)
        for needle in needles { first[Int(needle[0])] = true }
        self.first = first
    }

    public var isEmpty: Bool { needles.isEmpty }

    /// The bytes with every secret replaced, and how many were.
    public func redact(_ bytes: [UInt8]) -> (bytes: [UInt8], count: Int) {
        var stream = Stream(self)
        var out = stream.append(bytes[...])
        out.append(contentsOf: stream.finish())
        return (out, stream.count)
    }

    public func redact(_ text: String) -> String {
        needles.isEmpty ? text : String(decoding: redact(Array(text.utf8)).bytes, as: UTF8.self)
    }

    /// Redacts a stream whose chunks may cut a secret in two: the end of a chunk that could begin one is held back.
    public struct Stream: Sendable {
        private let redactor: Redactor
        private var held: [UInt8] = []
        public private(set) var count = 0

        public init(_ redactor: Redactor) { self.redactor = redactor }

        public mutating func append(_ chunk: ArraySlice<UInt8>) -> [UInt8] {
            guard !redactor.needles.isEmpty else { return Array(chunk) }
            held.append(contentsOf: chunk)
            return drain(final: false)
        }

        public mutating func finish() -> [UInt8] { drain(final: true) }

        private mutating func drain(final: Bool) -> [UInt8] {
            var out: [UInt8] = []
            out.reserveCapacity(held.count)
            var i = 0
            scan: while i < held.count {
                if redactor.first[Int(held[i])] {
                    let rest = held.count - i
                    // A longer secret that may still be coming wins over a shorter one that is already whole.
                    for needle in redactor.needles {
                        if rest >= needle.count {
                            if held[i..<(i + needle.count)].elementsEqual(needle) {
                                out.append(contentsOf: Redactor.replacement)
                                count += 1
                                i += needle.count
                                continue scan
                            }
                        } else if !final, needle.starts(with: held[i...]) {
                            break scan
                        }
                    }
                }
                out.append(held[i])
                i += 1
            }
            held.removeFirst(i)
            return out
        }
    }
}
