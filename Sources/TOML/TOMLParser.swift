/// Parses a document: lines, headers, keys, and which table they add to. Values are in the extensions.
struct TOMLParser {
    var cursor: TOMLCursor

    init(_ bytes: [UInt8]) throws(TOMLError) {
        cursor = try TOMLCursor(bytes)
    }

    mutating func document() throws(TOMLError) -> TOMLTable {
        let root = TOMLBuilder(.header, at: TOMLPosition(line: 1, column: 1))
        var current = root
        var depth = 0
        while true {
            cursor.skipBlanks()
            guard let byte = cursor.peek else { return root.finished() }
            switch byte {
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "#"): break
            case UInt8(ascii: "["): (current, depth) = try header(root: root)
            default: try keyValue(in: current, depth: depth)
            }
            try lineEnd()
        }
    }

    /// Expects whitespace, an optional comment, then the end of the line or of the document.
    private mutating func lineEnd() throws(TOMLError) {
        cursor.skipBlanks()
        try comment()
        guard cursor.peek != nil else { return }
        guard try newline() else { throw cursor.error("expected the end of the line") }
    }

    mutating func newline() throws(TOMLError) -> Bool {
        if cursor.take(UInt8(ascii: "\n")) { return true }
        guard cursor.peek == UInt8(ascii: "\r") else { return false }
        guard cursor.peek(1) == UInt8(ascii: "\n") else { throw cursor.error("a carriage return without a line feed") }
        cursor.advance(2)
        return true
    }

    mutating func comment() throws(TOMLError) {
        guard cursor.take(UInt8(ascii: "#")) else { return }
        while let byte = cursor.peek, byte != UInt8(ascii: "\n") {
            if byte == UInt8(ascii: "\r"), cursor.peek(1) == UInt8(ascii: "\n") { return }
            if Self.isControl(byte) { throw cursor.error("a control character in a comment") }
            cursor.advance()
        }
    }

    /// Whether the byte is a control character that TOML forbids everywhere. Tab is allowed.
    static func isControl(_ byte: UInt8) -> Bool { (byte < 0x20 && byte != 0x09) || byte == 0x7F }

    // MARK: Tables

    /// Parses `[a.b]` or `[[a.b]]`. Returns the table that the following lines add to, and its depth.
    private mutating func header(root: TOMLBuilder) throws(TOMLError) -> (TOMLBuilder, Int) {
        let position = cursor.position
        cursor.advance()
        let isArray = cursor.take(UInt8(ascii: "["))
        cursor.skipBlanks()
        var path = try dottedKey()
        guard cursor.take(UInt8(ascii: "]")), !isArray || cursor.take(UInt8(ascii: "]")) else {
            throw cursor.error(isArray ? "expected ]] at the end of the header" : "expected ] at the end of the header")
        }
        try checkDepth(path.count, at: position)
        let depth = path.count
        guard let last = path.popLast() else { throw cursor.error("expected a key") }
        let parent = try descend(path, from: root)
        let table = isArray ? try arrayElement(last, in: parent, at: position) : try defined(last, in: parent, at: position)
        return (table, depth)
    }

    /// Follows the leading keys of a header and creates missing tables.
    private func descend(_ path: [TOMLKey], from root: TOMLBuilder) throws(TOMLError) -> TOMLBuilder {
        var table = root
        for key in path {
            switch table.slot(key.name) {
            case nil:
                let next = TOMLBuilder(.implied, at: key.position)
                table.add(key, .table(next))
                table = next
            case .table(let next):
                if next.origin == .inline { throw taken(key, in: table, "is an inline table, which cannot be extended") }
                table = next
            case .tableArray(let elements):
                guard let last = elements.last else { throw taken(key, in: table, "is not a table") }
                table = last
            case .value:
                throw taken(key, in: table, "is not a table")
            }
        }
        return table
    }

    private func defined(
        _ key: TOMLKey, in parent: TOMLBuilder, at position: TOMLPosition
    ) throws(TOMLError) -> TOMLBuilder {
        switch parent.slot(key.name) {
        case nil:
            let table = TOMLBuilder(.header, at: position)
            parent.add(key, .table(table))
            return table
        case .table(let table) where table.origin == .implied:
            table.origin = .header
            return table
        default:
            throw taken(key, in: parent, "is already defined")
        }
    }

    private func arrayElement(
        _ key: TOMLKey, in parent: TOMLBuilder, at position: TOMLPosition
    ) throws(TOMLError) -> TOMLBuilder {
        let table = TOMLBuilder(.header, at: position)
        switch parent.slot(key.name) {
        case nil: parent.add(key, .tableArray([table]))
        case .tableArray: parent.append(table, toArray: key.name)
        default: throw taken(key, in: parent, "is already defined, and not as an array of tables")
        }
        return table
    }

    private func taken(_ key: TOMLKey, in table: TOMLBuilder, _ problem: String) -> TOMLError {
        let first = table.position(of: key.name).map { " (line \($0.line))" } ?? ""
        return TOMLError(message: "\"\(key.name)\" \(problem)\(first)", position: key.position)
    }

    // MARK: Keys

    /// Parses `a.b = value` and adds it below `table`.
    ///
    /// - Parameter depth: the nesting depth of `table`.
    mutating func keyValue(in table: TOMLBuilder, depth: Int) throws(TOMLError) {
        var path = try dottedKey()
        guard cursor.take(UInt8(ascii: "=")) else { throw cursor.error("expected = after the key") }
        cursor.skipBlanks()
        let depth = depth + path.count
        guard let last = path.popLast() else { throw cursor.error("expected a key") }
        try checkDepth(depth, at: last.position)
        var owner = table
        for key in path {
            switch owner.slot(key.name) {
            case nil:
                let next = TOMLBuilder(.dotted, at: key.position)
                owner.add(key, .table(next))
                owner = next
            case .table(let next) where next.origin == .dotted: owner = next
            default: throw taken(key, in: owner, "is already defined and cannot be extended with a dotted key")
            }
        }
        if owner.slot(last.name) != nil { throw taken(last, in: owner, "is given twice") }
        let position = cursor.position
        if cursor.peek == UInt8(ascii: "{") {
            owner.add(last, .table(try inlineTable(depth: depth)))
        } else {
            owner.add(last, .value(TOMLNode(try value(depth: depth), at: position)))
        }
    }

    /// Parses the parts of a key, and skips the whitespace after it.
    private mutating func dottedKey() throws(TOMLError) -> [TOMLKey] {
        var parts: [TOMLKey] = []
        while true {
            let position = cursor.position
            parts.append(TOMLKey(name: try simpleKey(), position: position))
            cursor.skipBlanks()
            guard cursor.take(UInt8(ascii: ".")) else { return parts }
            cursor.skipBlanks()
        }
    }

    private mutating func simpleKey() throws(TOMLError) -> String {
        switch cursor.peek {
        case UInt8(ascii: "\""):
            if cursor.starts(with: "\"\"\"") { throw cursor.error("a key cannot be a multi-line string") }
            return try basicString()
        case UInt8(ascii: "'"):
            if cursor.starts(with: "'''") { throw cursor.error("a key cannot be a multi-line string") }
            return try literalString()
        default:
            let start = cursor.offset
            while let byte = cursor.peek, Self.isBareKey(byte) { cursor.advance() }
            guard cursor.offset > start else { throw cursor.error("expected a key") }
            return cursor.text(from: start)
        }
    }

    private static func isBareKey(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
    }

    func checkDepth(_ depth: Int, at position: TOMLPosition) throws(TOMLError) {
        guard depth <= TOML.maximumDepth else {
            throw TOMLError(message: "nested more than \(TOML.maximumDepth) levels deep", position: position)
        }
    }
}
