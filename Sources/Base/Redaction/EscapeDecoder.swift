/// Undoes percent-encoding and the backslash escapes of JSON in a stream, byte by byte, and says where in the text each
/// decoded byte stood.
///
/// What is no escape stands for itself. A backslash before any mark stands for that mark, as in JSON and in shells.
struct EscapeDecoder: Sendable {
    struct Symbol {
        var byte: UInt8
        /// Where it stood in the text.
        var start: Int
        var end: Int
    }

    private enum Mode { case none, percent, backslash, unicode }

    private var mode = Mode.none
    /// What has come of an escape so far, and from where on.
    private var pending: [UInt8] = []
    private var start = 0
    /// The first half of a character outside the basic plane.
    private var high: (value: UInt32, start: Int)?
    /// Where the last escape ended: from there on the decoded text is the text.
    private(set) var escapesEnd = 0

    /// Nothing is on its way.
    var isSettled: Bool { mode == .none && high == nil }

    /// From where on the text is not decoded yet; nil when all is.
    var firstPending: Int? { high?.start ?? (mode == .none ? nil : start) }

    static func begins(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "%") || byte == UInt8(ascii: "\\") }

    /// How escapes begin that may stand for this byte, or for a character that begins with it, or that may hide where the
    /// next escape begins.
    static func openings(of byte: UInt8) -> [(mark: UInt8, next: UInt8)] {
        let (percent, backslash) = (UInt8(ascii: "%"), UInt8(ascii: "\\"))
        let digits = Array(hex([byte]).utf8)
        var found = [(percent, digits[0]), (percent, Array(hex([byte]).uppercased().utf8)[0])]
        found += [UInt8(ascii: "u"), backslash, percent].map { (backslash, $0) }
        let letter: [UInt8: UInt8] = [
            0x0A: UInt8(ascii: "n"), 0x0D: UInt8(ascii: "r"), 0x09: UInt8(ascii: "t"), 0x08: UInt8(ascii: "b"), 0x0C: UInt8(ascii: "f"),
        ]
        found.append((backslash, letter[byte] ?? byte))
        return found
    }

    /// Appends what the next byte of the text completes.
    mutating func take(_ byte: UInt8, at position: Int, into out: inout [Symbol]) {
        switch mode {
        case .none:
            guard Self.begins(byte) else { return say([byte], position, position + 1, &out) }
            mode = byte == UInt8(ascii: "%") ? .percent : .backslash
            start = position
            pending = [byte]
        case .percent:
            guard Self.digit(byte) != nil else { return giveUp(byte, position, &out) }
            pending.append(byte)
            if pending.count == 3 { complete([UInt8(truncatingIfNeeded: number(from: 1))], position + 1, &out) }
        case .backslash:
            switch byte {
            case UInt8(ascii: "n"): complete([0x0A], position + 1, &out)
            case UInt8(ascii: "r"): complete([0x0D], position + 1, &out)
            case UInt8(ascii: "t"): complete([0x09], position + 1, &out)
            case UInt8(ascii: "b"): complete([0x08], position + 1, &out)
            case UInt8(ascii: "f"): complete([0x0C], position + 1, &out)
            case UInt8(ascii: "u"):
                mode = .unicode
                pending.append(byte)
            case 0x20...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: complete([byte], position + 1, &out)
            default: giveUp(byte, position, &out)
            }
        case .unicode:
            guard Self.digit(byte) != nil else { return giveUp(byte, position, &out) }
            pending.append(byte)
            if pending.count == 6 { character(number(from: 2), position + 1, &out) }
        }
    }

    /// The text is over: an escape that began is none.
    mutating func finish(into out: inout [Symbol]) {
        guard mode != .none else { return }
        literally(&out)
    }

    private mutating func character(_ value: UInt32, _ end: Int, _ out: inout [Symbol]) {
        if (0xD800..<0xDC00).contains(value) {
            mode = .none
            escapesEnd = end
            if let first = high { out.append(Symbol(byte: 0xFF, start: first.start, end: first.start + 6)) }
            high = (value, start)
            return
        }
        var scalar = value
        if let first = high, (0xDC00..<0xE000).contains(value) {
            scalar = 0x10000 + (first.value - 0xD800) << 10 + (value - 0xDC00)
            start = first.start
            high = nil
        }
        // Half a character is in no secret; a replacement character is as good as any.
        complete(Array(String(Unicode.Scalar(scalar) ?? "\u{FFFD}").utf8), end, &out)
    }

    private mutating func complete(_ bytes: [UInt8], _ end: Int, _ out: inout [Symbol]) {
        mode = .none
        escapesEnd = end
        say(bytes, start, end, &out)
    }

    private mutating func giveUp(_ byte: UInt8, _ position: Int, _ out: inout [Symbol]) {
        literally(&out)
        take(byte, at: position, into: &out)
    }

    private mutating func literally(_ out: inout [Symbol]) {
        mode = .none
        for (offset, byte) in pending.enumerated() { say([byte], start + offset, start + offset + 1, &out) }
    }

    private mutating func say(_ bytes: [UInt8], _ start: Int, _ end: Int, _ out: inout [Symbol]) {
        if let first = high {
            high = nil
            out.append(Symbol(byte: 0xFF, start: first.start, end: first.start + 6))
        }
        for byte in bytes { out.append(Symbol(byte: byte, start: start, end: end)) }
    }

    private func number(from first: Int) -> UInt32 {
        pending[first...].reduce(0) { $0 << 4 | UInt32(Self.digit($1) ?? 0) }
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
