import EvalModel
import TOML

/// `artifacts`, of a task and of a step.
extension TaskConfigParser {
    mutating func artifacts(_ parent: inout TableReader) throws(FormatProblem) -> [TaskArtifact] {
        var artifacts: [TaskArtifact] = []
        for node in try parent.array("artifacts") ?? [] {
            switch node.value {
            case .string(let source):
                try Self.check(source: source, parent, line: node.position.line)
                artifacts.append(TaskArtifact(source: source))
            case .table(let table):
                var reader = TableReader(table, name: parent.place("artifacts"), line: node.position.line)
                artifacts.append(try artifact(&reader, parent))
                warn(reader)
            default:
                throw FormatProblem(
                    line: node.position.line,
                    message: "\(parent.place("artifacts")) must be an array of strings and tables, but has \(node.value.kindName) in it")
            }
        }
        return artifacts
    }

    private func artifact(_ reader: inout TableReader, _ parent: TableReader) throws(FormatProblem) -> TaskArtifact {
        let artifact = TaskArtifact(
            source: try reader.requiredString("source"), destination: try reader.nonEmptyString("destination"),
            exclude: try reader.strings("exclude") ?? [], service: try reader.service("service"))
        try Self.check(source: artifact.source, parent, line: reader.line("source"))
        if let problem = artifact.destination.flatMap(Self.problem) {
            throw reader.problem("destination", "\(problem), not \"\(artifact.destination ?? "")\"")
        }
        if let service = artifact.service, service != TaskArtifact.mainService, !Self.isAbsolute(artifact.source) {
            throw reader.problem("source", "must be an absolute path for the service \"\(service)\", not \"\(artifact.source)\"")
        }
        return artifact
    }

    private static func check(source: String, _ parent: TableReader, line: Int?) throws(FormatProblem) {
        guard !source.split(separator: "/").contains("..") else {
            throw FormatProblem(line: line, message: "\(parent.place("artifacts")): \"\(source)\" must not contain ..")
        }
    }

    private static func problem(with destination: String) -> String? {
        if destination.contains("\\") { return "must have / between names" }
        if destination.hasPrefix("/") { return "must be a relative path" }
        let names = destination.split(separator: "/").filter { $0 != "." }
        if names.isEmpty { return "must name a file or folder" }
        if names.contains("..") { return "must not contain .." }
        // Collection writes this file itself.
        var plain = destination[...]
        while plain.last == "/" { plain.removeLast() }
        return plain == "manifest.json" ? "must be another name" : nil
    }

    /// A POSIX path, or one with a drive of Windows.
    private static func isAbsolute(_ path: String) -> Bool {
        let start = Array(path.utf8.prefix(3))
        return start.first == UInt8(ascii: "/")
            || start.count == 3 && Character(UnicodeScalar(start[0])).isLetter && start[0] < 0x80 && start[1] == UInt8(ascii: ":")
                && (start[2] == UInt8(ascii: "/") || start[2] == UInt8(ascii: "\\"))
    }
}
