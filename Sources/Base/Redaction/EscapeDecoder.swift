/// Decodes percent-encoding and the backslash escapes of JSON in a stream, byte by byte, and reports the position of each decoded
/// byte in the text.
///
/// Bytes outside an escape are passed on unchanged. A backslash before a punctuation mark stands for that mark, as in JSON and in
/// shells.
struct EscapeDecoder: Sendable {
    struct Symbol {
        var byte: UInt8
        /// The position at which it began in the text.
        var start: Int
        var end: Int
    }

    private enum Mode { case none, percent, backslash, unicode }

    private var mode = Mode.none
    /// The bytes of an unfinished escape; `start` is its position.
    private var pending: [UInt8] = []
    private var start = 0
    /// The first half of a surrogate pair (a character above U+FFFF).
    private var high: (value: UInt32, start: Int)?
    /// The end of the last escape. After it the decoded text equals the text.
    private(set) var escapesEnd = 0

    /// True when no escape is unfinished.
    var isSettled: Bool { mode == .none && high == nil }

    /// The position of the first byte that is not decoded yet; nil when all are.
    var firstPending: Int? { high?.start ?? (mode == .none ? nil : start) }

    static func begins(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "%") || byte == UInt8(ascii: "\\") }

    /// The meaning of a two-byte escape, given its second byte; nil when it has none.
    static func short(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case 0x20...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: byte
        default: nil
        }
    }

    /// Records the end of an escape that the caller has skipped because its meaning cannot be part of a secret.
    mutating func skip(to end: Int) { escapesEnd = end }

    /// Appends the symbols that the next byte of the text completes.
    mutating func take(_ byte: UInt8, at position: Int, into out: inout [Symbol]) {
        switch mode {
        case .none:
            guard Self.begins(byte) else { return emit([byte], position, position + 1, &out) }
            mode = byte == UInt8(ascii: "%") ? .percent : .backslash
            start = position
            pending = [byte]
        case .percent:
            guard Self.digit(byte) != nil else { return giveUp(byte, position, &out) }
            pending.append(byte)
            if pending.count == 3 { complete([UInt8(truncatingIfNeeded: number(from: 1))], position + 1, &out) }
        case .backslash:
            if byte == UInt8(ascii: "u") {
                mode = .unicode
                pending.append(byte)
            } else if let meant = Self.short(byte) {
                complete([meant], position + 1, &out)
            } else {
                giveUp(byte, position, &out)
            }
        case .unicode:
            guard Self.digit(byte) != nil else { return giveUp(byte, position, &out) }
            pending.append(byte)
            if pending.count == 6 { character(number(from: 2), position + 1, &out) }
        }
    }

    /// Ends the text: an unfinished escape is passed on as it is.
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
        // No secret contains half a surrogate pair, so a replacement character is enough.
        complete(Array(String(Unicode.Scalar(scalar) ?? "\u{FFFD}").utf8), end, &out)
    }

    private mutating func complete(_ bytes: [UInt8], _ end: Int, _ out: inout [Symbol]) {
        mode = .none
        escapesEnd = end
        emit(bytes, start, end, &out)
    }

    private mutating func giveUp(_ byte: UInt8, _ position: Int, _ out: inout [Symbol]) {
        literally(&out)
        take(byte, at: position, into: &out)
    }

    private mutating func literally(_ out: inout [Symbol]) {
        mode = .none
        for (offset, byte) in pending.enumerated() { emit([byte], start + offset, start + offset + 1, &out) }
    }

    private mutating func emit(_ bytes: [UInt8], _ start: Int, _ end: Int, _ out: inout [Symbol]) {
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
