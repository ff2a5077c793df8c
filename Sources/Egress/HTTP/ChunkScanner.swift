/// Follows a body in chunks (RFC 9112, section 7.1) to its end, trailers included.
///
/// Strict where readers are known to differ: lines end with CR LF, sizes are hexadecimal digits only, extensions hold no control characters.
struct ChunkScanner {
    private enum State {
        case size
        /// White space or an extension after the size.
        case afterSize
        case sizeEnd
        case data
        case dataCR
        case dataLF
        case trailerStart
        case trailerName
        case trailerValue
        case trailerEnd
        case lastLF
        case complete
    }

    private static let maximumLine = 4096
    private static let maximumTrailers = 16 << 10
    private static let maximumDigits = 12

    private var state = State.size
    private var size = 0
    private var digits = 0
    private var line = 0
    private var trailers = 0

    var isComplete: Bool { state == .complete }

    /// - Returns: how many of the bytes belong to the body.
    mutating func take(_ bytes: UnsafeRawBufferPointer) throws(HTTPSyntaxError) -> Int {
        var at = 0
        while at < bytes.count, state != .complete {
            if state == .data {
                let taken = min(size, bytes.count - at)
                size -= taken
                at += taken
                if size == 0 { state = .dataCR }
            } else {
                try step(bytes[at])
                at += 1
            }
        }
        return at
    }

    private mutating func step(_ byte: UInt8) throws(HTTPSyntaxError) {
        switch state {
        case .size:
            if let digit = Self.hexDigit(byte) {
                digits += 1
                guard digits <= Self.maximumDigits else { throw HTTPSyntaxError("a chunk that is too large") }
                size = size << 4 | digit
            } else {
                guard digits > 0 else { throw HTTPSyntaxError("a chunk size that is no number") }
                state = .afterSize
                guard byte == 13 || byte == UInt8(ascii: ";") || byte == 0x20 || byte == 0x09 else {
                    throw HTTPSyntaxError("a chunk size that is no number")
                }
                try step(byte)
            }
        case .afterSize:
            if byte == 13 {
                state = .sizeEnd
            } else {
                line += 1
                guard byte >= 0x20 && byte != 0x7F || byte == 0x09, line <= Self.maximumLine else {
                    throw HTTPSyntaxError("a malformed chunk extension")
                }
            }
        case .sizeEnd:
            guard byte == 10 else { throw HTTPSyntaxError("a chunk size without CR LF") }
            state = size == 0 ? .trailerStart : .data
            digits = 0
            line = 0
        case .data, .complete: break
        case .dataCR:
            guard byte == 13 else { throw HTTPSyntaxError("a chunk without CR LF at its end") }
            state = .dataLF
        case .dataLF:
            guard byte == 10 else { throw HTTPSyntaxError("a chunk without CR LF at its end") }
            state = .size
        case .trailerStart:
            if byte == 13 {
                state = .lastLF
            } else {
                guard isTokenLetter(byte) else { throw HTTPSyntaxError("a malformed trailer") }
                state = .trailerName
            }
        case .trailerName:
            if byte == UInt8(ascii: ":") {
                state = .trailerValue
            } else {
                guard isTokenLetter(byte) else { throw HTTPSyntaxError("a malformed trailer") }
            }
        case .trailerValue:
            if byte == 13 {
                state = .trailerEnd
            } else {
                guard byte >= 0x20 && byte != 0x7F || byte == 0x09 else { throw HTTPSyntaxError("a malformed trailer") }
            }
        case .trailerEnd:
            guard byte == 10 else { throw HTTPSyntaxError("a trailer without CR LF") }
            state = .trailerStart
        case .lastLF:
            guard byte == 10 else { throw HTTPSyntaxError("a body without CR LF at its end") }
            state = .complete
        }
        switch state {
        case .trailerStart, .trailerName, .trailerValue, .trailerEnd:
            trailers += 1
            guard trailers <= Self.maximumTrailers else { throw HTTPSyntaxError("the trailers are too large") }
        default: break
        }
    }

    private static func hexDigit(_ byte: UInt8) -> Int? {
        switch byte {
        case 0x30...0x39: Int(byte) - 0x30
        case 0x41...0x46: Int(byte) - 0x41 + 10
        case 0x61...0x66: Int(byte) - 0x61 + 10
        default: nil
        }
    }
}
