import Glibc

/// Structured log lines on standard error: one JSON object per line, or text for people.
///
/// A line has the time, the level, the component, the message and fields (the object's key, the trial). Values are logged as
/// given: callers must not pass secrets.
public struct Log: Sendable {
    public enum Level: Int, Sendable, Comparable, CaseIterable {
        case debug, info, warning, error
        public static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
        public var name: String { String(describing: self) }
    }

    public enum Format: Sendable { case json, text }

    /// The target of log lines. All logs of a process share one destination.
    public struct Destination: Sendable {
        public let minimum: Level
        public let format: Format
        public let write: @Sendable ([UInt8]) -> Void

        public init(minimum: Level, format: Format, write: @escaping @Sendable ([UInt8]) -> Void) {
            self.minimum = minimum
            self.format = format
            self.write = write
        }

        public static func standardError(minimum: Level, format: Format) -> Destination {
            Destination(minimum: minimum, format: format) { line in
                // One write per line, so that lines of several threads do not mix.
                line.withUnsafeBytes { _ = Glibc.write(2, $0.baseAddress, $0.count) }
            }
        }

        public static let none = Destination(minimum: .error, format: .text) { _ in }
    }

    private let component: String
    private let fields: [String: JSONValue]
    private let destination: Destination?

    /// Without a destination, lines go to the one set by `bootstrap`.
    public init(_ component: String, destination: Destination? = nil) {
        self.init(component: component, fields: [:], destination: destination)
    }

    private init(component: String, fields: [String: JSONValue], destination: Destination?) {
        self.component = component
        self.fields = fields
        self.destination = destination
    }

    /// Sets the destination of the process. Called once, by the executable, before anything is logged.
    public static func bootstrap(_ destination: Destination) { shared.withLock { $0 = destination } }

    private static let shared = Locked(Destination.standardError(minimum: .info, format: .text))

    /// The same log with additional fields on every line.
    public func with(_ more: [String: JSONValue]) -> Log {
        Log(component: component, fields: fields.merging(more) { $1 }, destination: destination)
    }

    public func debug(_ message: @autoclosure () -> String, _ fields: [String: JSONValue] = [:]) { line(.debug, message, fields) }
    public func info(_ message: @autoclosure () -> String, _ fields: [String: JSONValue] = [:]) { line(.info, message, fields) }
    public func warning(_ message: @autoclosure () -> String, _ fields: [String: JSONValue] = [:]) { line(.warning, message, fields) }
    public func error(_ message: @autoclosure () -> String, _ fields: [String: JSONValue] = [:]) { line(.error, message, fields) }

    private func line(_ level: Level, _ message: () -> String, _ more: [String: JSONValue]) {
        let destination = destination ?? Self.shared.withLock { $0 }
        guard level >= destination.minimum else { return }
        let all = fields.merging(more) { $1 }
        let now = SystemTime().now()
        switch destination.format {
        case .json:
            var object = all
            object["ts"] = .string(now.rfc3339Millis)
            object["level"] = .string(level.name)
            object["logger"] = .string(component)
            object["msg"] = .string(message())
            destination.write(JSONValue.object(object).serialized() + [0x0A])
        case .text:
            var text = "\(now.rfc3339Millis) \(level.name.uppercased()) \(component): \(message())"
            for (key, value) in all.sorted(by: { $0.key < $1.key }) { text += " \(key)=\(value.string ?? value.text)" }
            destination.write(Array((text.replacingControls + "\n").utf8))
        }
    }
}

extension String {
    /// The text with control characters replaced, so that text from outside cannot move the cursor of a terminal
    /// (CVE-2021-25743), break a line, or be displayed in another order than its characters have (CVE-2021-42574).
    public var replacingControls: String {
        guard unicodeScalars.contains(where: { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) || $0.turnsText }) else { return self }
        var out = ""
        for scalar in unicodeScalars {
            switch scalar.value {
            case 0x09: out += " "
            case 0x0A: out += "\\n"
            case 0..<0x20, 0x7F..<0xA0: out += "\\x" + hex([UInt8(truncatingIfNeeded: scalar.value)])
            case _ where scalar.turnsText: out += "\\u" + String(scalar.value, radix: 16)
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}

extension Unicode.Scalar {
    /// True for characters that end a line or change the direction of the following text.
    fileprivate var turnsText: Bool {
        switch value {
        case 0x61C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
