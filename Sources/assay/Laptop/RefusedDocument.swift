import Git
import KubeCore

/// What a person reads when the API server refuses a document: each field with what is wrong with it, one a line.
enum RefusedDocument {
    /// The server's note that it did not look further; what it found is listed beside it.
    private static let incomplete = "some validation rules were not checked"

    /// - Parameter name: of the document, as `EvalJob "hello"`.
    static func message(_ status: KubeStatus, name: String) -> String {
        let faults = status.causes.filter { !$0.message.contains(incomplete) }.map { line($0) }
        // Without causes the message is a sentence for people already.
        guard !faults.isEmpty else { return GitURL.withoutPasswords(status.message) }
        var seen: Set<String> = []
        let lines = faults.filter { seen.insert($0).inserted }
        return GitURL.withoutPasswords(lines.count == 1 ? "\(name): \(lines[0])" : "\(name):\n  " + lines.joined(separator: "\n  "))
    }

    private static func line(_ cause: KubeStatus.Cause) -> String {
        let field = cause.field == "<nil>" ? "" : cause.field
        var text = cause.message
        if text == "Required value" { text = "is missing" }
        if text.hasPrefix("Required value: ") { text = String(text.dropFirst(16)) }
        if let plain = withoutValue(text) { text = plain }
        // The schema's own words repeat the path.
        if !field.isEmpty, text.hasPrefix("\(field) in body ") { text = String(text.dropFirst(field.count + 9)) }
        return field.isEmpty ? text : "\(field): \(text)"
    }

    /// The words after `Invalid value: <value>: `. An object as the value says nothing; a short value stays.
    private static func withoutValue(_ text: String) -> String? {
        guard let match = text.wholeMatch(of: /Invalid value: (null|"(?:[^"\\]|\\.)*"|[^:{\[]*|[{\[].*[}\]]): (.*)/) else { return nil }
        let (value, words) = (match.1, match.2)
        guard value != "null", !value.hasPrefix("{"), !value.hasPrefix("["), value != "\"\"", value.count <= 60 else { return String(words) }
        return "\(value): \(words)"
    }
}
