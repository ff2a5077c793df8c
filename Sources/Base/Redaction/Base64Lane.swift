/// Finds secrets in base64, in either alphabet or a mixture, even when line breaks divide it.
struct Base64Lane: Sendable {
    /// The most white space that may occur inside a value: a line break and the indentation after it.
    static let longestPause = 32

    private var state: NeedleSet.State = 0
    /// Positions of the last letters in the text, as a ring buffer; empty until needed.
    private var starts: [Int] = []
    private var count = 0
    private var pause = 0
    /// The last byte was a backslash: it may begin an escaped line break in text that was escaped twice.
    private var isEscaped = false

    /// True when no part of a value has been seen.
    var isIdle: Bool { state == 0 && !isEscaped }

    /// The position at which a possible match begins; nil when there is none.
    func firstHeld(_ needles: NeedleSet) -> Int? {
        state == 0 ? nil : starts[(count - needles.depth(state)) & (starts.count - 1)]
    }

    mutating func take(_ symbol: EscapeDecoder.Symbol, _ needles: NeedleSet, _ found: inout Occurrences) {
        if isEscaped {
            isEscaped = false
            switch symbol.byte {
            case UInt8(ascii: "n"), UInt8(ascii: "r"): return skipPause(2)
            default: reset()
            }
        }
        switch symbol.byte {
        case 0x0A, 0x0D: skipPause(1)
        case 0x20 where pause > 0, 0x09 where pause > 0: skipPause(1)
        case UInt8(ascii: "\\"): isEscaped = true
        default:
            let letter = Self.letters[Int(symbol.byte)]
            guard letter != 0 else { return reset() }
            pause = 0
            let next = needles.step(state, letter)
            if next != 0 || state != 0 { remember(symbol.start, needles) }
            state = next
            if let match = needles.match(next) {
                found.add(starts[(count - match.length) & (starts.count - 1)], symbol.end, owner: match.owner)
            }
        }
    }

    private mutating func remember(_ start: Int, _ needles: NeedleSet) {
        if starts.isEmpty { starts = .ring(needles.maximumLength) }
        starts[count & (starts.count - 1)] = start
        count += 1
    }

    private mutating func skipPause(_ length: Int) {
        guard state != 0 else { return }
        pause += length
        if pause > Self.longestPause { reset() }
    }

    private mutating func reset() {
        state = 0
        pause = 0
    }

    // MARK: Letters

    /// Each byte's letter of the standard alphabet, or `=`; 0 for every other byte.
    private static let letters: [UInt8] = {
        var table = [UInt8](repeating: 0, count: 256)
        for byte in UInt8.min...UInt8.max {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="): table[Int(byte)] = byte
            case UInt8(ascii: "-"): table[Int(byte)] = UInt8(ascii: "+")
            case UInt8(ascii: "_"): table[Int(byte)] = UInt8(ascii: "/")
            default: break
            }
        }
        return table
    }()

    /// The bytes that can represent a letter in a text, including the first byte of its escape.
    static func spellings(_ letter: UInt8) -> [UInt8] {
        switch letter {
        case UInt8(ascii: "+"): [letter, UInt8(ascii: "-"), UInt8(ascii: "%")]
        case UInt8(ascii: "/"): [letter, UInt8(ascii: "_"), UInt8(ascii: "%"), UInt8(ascii: "\\")]
        default: [letter, UInt8(ascii: "%"), UInt8(ascii: "\\")]
        }
    }

    /// The bytes that may occur between two letters, or begin a separator.
    static let pauses: [UInt8] = [0x0A, 0x0D, UInt8(ascii: "\\"), UInt8(ascii: "%")]
}

extension [Int] {
    /// A ring buffer for the last `length` positions and one more; its size is a power of two.
    static func ring(_ length: Int) -> [Int] {
        var size = 16
        while size < length + 2 { size *= 2 }
        return [Int](repeating: 0, count: size)
    }
}

/// Occurrences that were found but not yet replaced, in order and without overlaps.
struct Occurrences: Sendable {
    struct Occurrence: Sendable {
        var start: Int
        var end: Int
        /// The secret that it belongs to. Of several overlapping occurrences, the longest one decides.
        var owner: Int
        var longest: Int
    }

    private(set) var all: [Occurrence] = []

    /// Adds an occurrence and merges it with those that it overlaps.
    mutating func add(_ start: Int, _ end: Int, owner: Int) {
        var merged = Occurrence(start: start, end: end, owner: owner, longest: end - start)
        var first = all.count
        while first > 0, all[first - 1].end > start { first -= 1 }
        var last = first
        while last < all.count, all[last].start < end {
            let other = all[last]
            merged.start = min(merged.start, other.start)
            merged.end = max(merged.end, other.end)
            if other.longest > merged.longest { (merged.owner, merged.longest) = (other.owner, other.longest) }
            last += 1
        }
        if first == last, last == all.count { all.append(merged) } else { all.replaceSubrange(first..<last, with: [merged]) }
    }

    mutating func removeFirst(_ count: Int) { all.removeFirst(count) }
}
