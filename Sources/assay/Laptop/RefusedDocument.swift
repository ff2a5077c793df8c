import Git
import KubeCore

/// What a person reads when the API server refuses a document: each field with what is wrong with it.
enum RefusedDocument {
    /// The server's note that it did not look further; what it found is listed beside it.
    private static let incomplete = "some validation rules were not checked"

    /// - Parameter name: of the document, as `EvalJob "hello"`.
    static func message(_ status: KubeStatus, name: String) -> String {
        var seen: Set<String> = []
        let faults = status.causes.filter { !$0.message.contains(incomplete) }.map { words($0) }.filter { seen.insert($0).inserted }
        // Without causes the message is a sentence for people already. The server quotes the refused value: passwords in addresses must not reach a
        // terminal or a CI log.
        return GitURL.withoutPasswords(faults.isEmpty ? status.message : "\(name): \(faults.joined(separator: "; "))")
    }

    private static func words(_ cause: KubeStatus.Cause) -> String {
        let field = cause.field == "<nil>" ? "" : cause.field
        var text = cause.message == "Required value" ? "is missing" : cause.message.replacing(#/^Required value: /#, with: "")
        if let match = text.wholeMatch(of: /Invalid value: (null|"(?:[^"\\]|\\.)*"|[^:{\[]*|[{\[].*[}\]]): (.*)/) {
            // The schema's own words repeat the path.
            let words = String(match.2).replacing("\(field) in body ", with: "", maxReplacements: 1)
            text = isWorthShowing(match.1, words) ? "\(match.1): \(words)" : words
        }
        return field.isEmpty ? text : "\(field): \(text)"
    }

    /// Whether the refused value is worth printing. A whole object is not, and for a value of the wrong type the server gives only the name of its type.
    private static func isWorthShowing(_ value: Substring, _ words: String) -> Bool {
        !["null", "\"\""].contains(value) && !value.hasPrefix("{") && !value.hasPrefix("[") && value.count <= 60
            && !words.hasPrefix("must be of type")
    }
}
