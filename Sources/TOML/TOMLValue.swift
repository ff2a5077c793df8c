import Base

/// A value with the position of its first character.
public struct TOMLNode: Sendable, Hashable {
    public var value: TOMLValue
    public var position: TOMLPosition

    public init(_ value: TOMLValue, at position: TOMLPosition) {
        self.value = value
        self.position = position
    }
}

/// A TOML value.
public enum TOMLValue: Sendable, Hashable {
    case string(String)
    case integer(Int64)
    /// May be infinite or not a number.
    case float(Double)
    case boolean(Bool)
    case dateTime(TOMLDateTime)
    /// Arrays of tables (`[[name]]`) included.
    case array([TOMLNode])
    case table(TOMLTable)

    /// What the value is, for messages: "a string", "an integer", ...
    public var kindName: String {
        switch self {
        case .string: "a string"
        case .integer: "an integer"
        case .float: "a float"
        case .boolean: "a boolean"
        case .dateTime: "a date or time"
        case .array: "an array"
        case .table: "a table"
        }
    }

    /// The value as JSON. Dates, times, and infinite or NaN numbers become strings.
    public var json: JSONValue {
        switch self {
        case .string(let text): .string(text)
        case .integer(let number): .int(number)
        case .float(let number): number.isFinite ? .double(number) : .string("\(number)")
        case .boolean(let flag): .bool(flag)
        case .dateTime(let time): .string(time.description)
        case .array(let elements): .array(elements.map(\.value.json))
        case .table(let table): table.json
        }
    }
}

/// A table: its keys in the order of the document, each with its position.
public struct TOMLTable: Sendable, Hashable {
    public struct Entry: Sendable, Hashable {
        public var key: String
        /// Where the key is written. A table that is only implied has the position of the header or dotted key that
        /// implies it.
        public var keyPosition: TOMLPosition
        public var node: TOMLNode
    }

    public let entries: [Entry]
    private let index: [String: Int]

    init(entries: [Entry], index: [String: Int]) {
        self.entries = entries
        self.index = index
    }

    public var isEmpty: Bool { entries.isEmpty }

    public func entry(_ key: String) -> Entry? { index[key].map { entries[$0] } }

    public subscript(key: String) -> TOMLNode? { entry(key)?.node }

    public var json: JSONValue {
        .object(Dictionary(entries.map { ($0.key, $0.node.value.json) }) { first, _ in first })
    }
}

/// A date, a time, or both, with or without an offset: the four kinds of TOML.
public struct TOMLDateTime: Sendable, Hashable, CustomStringConvertible {
    public struct Day: Sendable, Hashable {
        public var year: Int
        public var month: Int
        public var day: Int
    }

    public struct Time: Sendable, Hashable {
        public var hour: Int
        public var minute: Int
        /// 60 in a leap second.
        public var second: Int
        /// Digits beyond nanoseconds are dropped.
        public var nanosecond: Int
    }

    /// Nil in a local time.
    public var day: Day?
    /// Nil in a local date.
    public var time: Time?
    /// Minutes east of UTC; nil in the three local kinds.
    public var offsetMinutes: Int?

    /// As RFC 3339 writes it, without the zeros at the end of a fraction.
    public var description: String {
        var text = day.map { "\(pad($0.year, 4))-\(pad($0.month, 2))-\(pad($0.day, 2))" } ?? ""
        if let time {
            if day != nil { text += "T" }
            text += "\(pad(time.hour, 2)):\(pad(time.minute, 2)):\(pad(time.second, 2))"
            if time.nanosecond != 0 {
                var fraction = pad(time.nanosecond, 9)
                while fraction.last == "0" { fraction.removeLast() }
                text += ".\(fraction)"
            }
        }
        switch offsetMinutes {
        case nil: return text
        case 0: return text + "Z"
        case .some(let offset):
            let size = abs(offset)
            return text + (offset < 0 ? "-" : "+") + "\(pad(size / 60, 2)):\(pad(size % 60, 2))"
        }
    }

    private func pad(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
