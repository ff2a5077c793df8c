/// The bytes of a document and the current reading position.
struct TOMLCursor {
    private let bytes: [UInt8]
    /// Where the document begins: after the byte order mark, if there is one.
    private let start: Int
    private(set) var offset = 0
    /// The last offset whose line and column are known. Counting continues from there.
    private var counted = (offset: 0, line: 1, column: 1)

    /// - Throws: `TOMLError` at the first byte that is not UTF-8.
    init(_ bytes: [UInt8]) throws(TOMLError) {
        self.bytes = bytes
        start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        offset = start
        counted.offset = start
        try checkEncoding()
    }

    private mutating func checkEncoding() throws(TOMLError) {
        var decoder = UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        var valid = 0
        while true {
            switch decoder.parseScalar(from: &iterator) {
            case .valid(let scalar): valid += scalar.count
            case .emptyInput: return
            case .error: throw TOMLError(message: "not UTF-8", position: position(at: max(valid, offset)))
            }
        }
    }

    var peek: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    func peek(_ ahead: Int) -> UInt8? { offset + ahead < bytes.count ? bytes[offset + ahead] : nil }

    mutating func advance(_ count: Int = 1) { offset = min(offset + count, bytes.count) }

    /// Consumes the byte if it is next.
    mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        offset += 1
        return true
    }

    func starts(with text: String) -> Bool { bytes[offset...].starts(with: text.utf8) }

    /// Skips spaces and tabs.
    mutating func skipBlanks() {
        while peek == 0x20 || peek == 0x09 { offset += 1 }
    }

    func text(from start: Int) -> String { String(decoding: bytes[start..<offset], as: UTF8.self) }

    func bytes(from start: Int) -> ArraySlice<UInt8> { bytes[start..<offset] }

    /// The line and column of the next byte.
    var position: TOMLPosition {
        mutating get { position(at: offset) }
    }

    /// Counts from the last known offset: counting from the start for every key would be quadratic.
    mutating func position(at place: Int) -> TOMLPosition {
        if place < counted.offset { counted = (start, 1, 1) }
        while counted.offset < place {
            let byte = bytes[counted.offset]
            counted.offset += 1
            if byte == UInt8(ascii: "\n") {
                counted.line += 1
                counted.column = 1
            } else if byte & 0xC0 != 0x80 {
                counted.column += 1
            }
        }
        return TOMLPosition(line: counted.line, column: max(1, counted.column - continued(at: place)))
    }

    /// 1 when the offset is inside a character whose first byte was already counted, else 0.
    private func continued(at place: Int) -> Int {
        place < bytes.count && bytes[place] & 0xC0 == 0x80 ? 1 : 0
    }

    mutating func error(_ message: String) -> TOMLError { error(message, at: offset) }

    mutating func error(_ message: String, at place: Int) -> TOMLError {
        if place >= bytes.count { return TOMLError(message: message + ", found the end", position: position(at: bytes.count)) }
        return TOMLError(message: message, position: position(at: place))
    }
}
