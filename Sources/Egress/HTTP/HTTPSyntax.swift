import Base

/// A message that is not well-formed HTTP/1.1 (RFC 9112), or that two programs could read differently.
struct HTTPSyntaxError: Error, Sendable, Hashable {
    var status = 400
    let message: String

    init(_ message: String, status: Int = 400) {
        self.message = message
        self.status = status
    }
}

/// One field of a head. The value keeps its bytes.
struct HeaderField: Sendable, Hashable {
    let name: String
    /// In lower case.
    let key: String
    let value: [UInt8]

    init(_ name: String, _ value: [UInt8]) {
        self.name = name
        self.key = name.lowercased()
        self.value = value
    }

    init(_ name: String, _ value: String) { self.init(name, Array(value.utf8)) }

    var text: String { String(decoding: value, as: UTF8.self) }
}

/// The fields of a head, in their order.
struct HeaderFields: Sendable, Hashable {
    private(set) var items: [HeaderField] = []

    func all(_ key: String) -> [HeaderField] { items.filter { $0.key == key } }

    /// The elements of a comma-separated field, in lower case.
    func words(_ key: String) -> [String] {
        all(key).flatMap { $0.text.lowercased().split(separator: ",") }.map(\.trimmed).filter { !$0.isEmpty }
    }

    mutating func append(_ field: HeaderField) { items.append(field) }

    mutating func removeAll(_ isUnwanted: (HeaderField) -> Bool) { items.removeAll(where: isUnwanted) }

    /// Reads the lines after the first one. Folded lines, white space before the colon and control characters are refused.
    init(lines: some Sequence<ArraySlice<UInt8>>) throws(HTTPSyntaxError) {
        for line in lines {
            guard let first = line.first else { throw HTTPSyntaxError("an empty line inside the head") }
            guard first != 0x20, first != 0x09 else { throw HTTPSyntaxError("a folded header line") }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else {
                throw HTTPSyntaxError("a header line without a name")
            }
            let name = line[..<colon]
            guard name.allSatisfy(isTokenLetter) else {
                throw HTTPSyntaxError("a header name with white space or other letters that it may not have")
            }
            var value = line[(colon + 1)...]
            while let byte = value.first, byte == 0x20 || byte == 0x09 { value = value.dropFirst() }
            while let byte = value.last, byte == 0x20 || byte == 0x09 { value = value.dropLast() }
            guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else { throw HTTPSyntaxError("a control character in a header") }
            append(HeaderField(String(decoding: name, as: UTF8.self), Array(value)))
        }
    }

    init() {}

    func write(to out: inout [UInt8]) {
        for field in items {
            out += field.name.utf8
            out += ": ".utf8
            out += field.value
            out += "\r\n".utf8
        }
    }
}

/// A letter of a token (RFC 9110, section 5.6.2).
func isTokenLetter(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}
