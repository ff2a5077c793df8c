import Base
import EvalModel

/// The variables of a service: `env_file`, then `environment`.
struct ComposeEnvironment {
    /// A value may be `${VAR}` or `${VAR:-default}` as a whole: the job gives it.
    private(set) var values: [String: String] = [:]
    /// Variables that the job gives if it has them.
    private(set) var passed: Set<String> = []

    init() {}

    /// - Parameter files: the content of files below `environment/`, without those that do not exist.
    init(_ service: ComposeNode, _ variables: ComposeVariables, files: [String: [UInt8]], _ notes: inout ComposeNotes) {
        for element in Self.files(of: service) { read(element, files, &notes) }
        guard let node = service["environment"] else { return }
        guard let pairs = node.pairs() else {
            notes.refuse(node.path, "must be a map, or a list of NAME=VALUE")
            return
        }
        for (name, value, text) in pairs {
            guard Self.isName(name) else {
                notes.refuse(node.path, "\"\(name)\" is no name of a variable")
                continue
            }
            guard value != nil else {
                values[name] = nil
                passed.insert(name)
                continue
            }
            guard let text else {
                notes.refuse("\(node.path).\(name)", "must be a text")
                continue
            }
            passed.remove(name)
            values[name] = variables.asked(text) ?? ComposeNode.text(text, "\(node.path).\(name)", variables, &notes)
        }
    }

    private static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "=") }
    }

    /// The entries of `env_file`.
    static func files(of service: ComposeNode) -> [ComposeNode] {
        guard let list = service["env_file"] else { return [] }
        return Array((list.elements ?? [list]).prefix(ComposeFile.maximumEntries))
    }

    /// Where a file of variables lies below `environment/`; nil for another place.
    static func path(of element: ComposeNode) -> String? {
        (element.text ?? element["path"]?.text).flatMap(ComposeValues.relative).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Reads one file of variables: a line each, `NAME=VALUE`.
    private mutating func read(_ element: ComposeNode, _ files: [String: [UInt8]], _ notes: inout ComposeNotes) {
        guard let path = Self.path(of: element) else {
            notes.refuse(element.path, "must be a file in environment/")
            return
        }
        guard let bytes = files[path] else {
            if element["required"]?.flag ?? true { notes.refuse(element.path, "there is no file environment/\(path)") }
            return
        }
        for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
            var text = line.trimming(\.isWhitespace)
            guard !text.isEmpty, !text.hasPrefix("#") else { continue }
            if text.hasPrefix("export ") { text = text.dropFirst(7).trimming(\.isWhitespace) }
            guard let equals = text.firstIndex(of: "=") else {
                passed.insert(String(text))
                continue
            }
            let key = String(text[..<equals].trimming(\.isWhitespace))
            guard Self.isName(key) else {
                notes.refuse(element.path, "\"\(key)\" is no name of a variable")
                continue
            }
            passed.remove(key)
            values[key] = Self.value(text[text.index(after: equals)...].trimming(\.isWhitespace))
        }
    }

    /// A value without its quotes, or without a comment behind it.
    private static func value(_ text: Substring) -> String {
        for quote in ["\"", "'"] where text.count >= 2 && text.hasPrefix(quote) {
            if let end = text.dropFirst().firstIndex(of: Character(quote)) { return String(text[text.index(after: text.startIndex)..<end]) }
        }
        guard let comment = text.firstRange(of: " #") else { return String(text) }
        return text[..<comment.lowerBound].trimmed
    }
}
