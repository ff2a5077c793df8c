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
        for element in Self.files(of: service) { read(element, variables, files, &notes) }
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
            set(name, text, variables, "\(node.path).\(name)", &notes)
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

    /// Reads one file of variables. A later entry may name an earlier one.
    private mutating func read(
        _ element: ComposeNode, _ variables: ComposeVariables, _ files: [String: [UInt8]], _ notes: inout ComposeNotes
    ) {
        guard let path = Self.path(of: element) else {
            notes.refuse(element.path, "must be a file in environment/")
            return
        }
        guard let bytes = files[path] else {
            if element["required"]?.flag ?? true { notes.refuse(element.path, "there is no file environment/\(path)") }
            return
        }
        let file = ComposeEnvironmentFile(String(decoding: bytes, as: UTF8.self), isRaw: element["format"]?.text == "raw")
        if let name = file.openQuote { notes.refuse(element.path, "the quote of \"\(name)\" in environment/\(path) is not closed") }
        for entry in file.entries {
            guard Self.isName(entry.name) else {
                notes.refuse(element.path, "\"\(entry.name)\" is no name of a variable")
                continue
            }
            guard let value = entry.value else {
                passed.insert(entry.name)
                continue
            }
            set(entry.name, value, isExpanded: entry.isExpanded, variables.adding(values), "\(element.path).\(entry.name)", &notes)
        }
    }

    private mutating func set(
        _ name: String, _ text: String, isExpanded: Bool = true, _ variables: ComposeVariables, _ path: String, _ notes: inout ComposeNotes
    ) {
        passed.remove(name)
        if isExpanded, let asked = variables.asked(text) {
            values[name] = asked
            return
        }
        let value = isExpanded ? ComposeNode.text(text, path, variables, &notes) : text
        // In a task's variables there is no way to write it.
        if TaskVariable(value) != nil { notes.refuse(path, "\"\(value)\" as a text would be read as a variable of the job: add something to it") }
        values[name] = value
    }
}
