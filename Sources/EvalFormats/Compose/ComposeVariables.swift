import EvalModel

/// The variables of a Compose file: those that Harbor sets. Source: Harbor's `DockerEnvironmentEnvVars`, and docs/formats.md.
struct ComposeVariables {
    /// Stands for the image that is built for `main`, whose name is not known before it is.
    static let mainImage = "assay-main-image"
    /// Stands for the folders of logs on Harbor's host.
    static let hostLogs = "/assay-host-logs"

    private var values: [String: String]

    init(_ task: EvalTask) {
        let environment = task.environment
        values = [
            "MAIN_IMAGE_NAME": Self.mainImage, "PREBUILT_IMAGE_NAME": environment.dockerImage ?? "", "CONTEXT_DIR": ".",
            "COMPOSE_PROJECT_NAME": "assay", "CPUS": Self.number(environment.cpus), "MEMORY": "\(environment.memoryMB)M", "TEST_DIR": "/tests",
            "HOST_VERIFIER_LOGS_PATH": "\(Self.hostLogs)/verifier", "HOST_AGENT_LOGS_PATH": "\(Self.hostLogs)/agent",
            "HOST_ARTIFACTS_PATH": "\(Self.hostLogs)/artifacts", "ENV_VERIFIER_LOGS_PATH": "/logs/verifier", "ENV_AGENT_LOGS_PATH": "/logs/agent",
            "ENV_ARTIFACTS_PATH": "/logs/artifacts",
        ]
    }

    private static func number(_ value: Double) -> String { value == value.rounded() && abs(value) < 1e9 ? String(Int(value)) : String(value) }

    subscript(name: String) -> String? { values[name] }

    /// With further variables, which count first; those that the job gives are not known yet, and left out.
    func adding(_ more: [String: String]) -> ComposeVariables {
        var all = self
        all.values.merge(more.filter { TaskVariable($0.value) == nil }) { $1 }
        return all
    }

    /// A text with its variables replaced, and the variables that have neither value nor default.
    struct Result: Hashable {
        var text: String
        var missing: [String] = []
        /// What `${NAME:?text}` says of a variable that is missing.
        var complaint: String?
    }

    /// Replaces `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?text}`, `${NAME?text}`, `${NAME:+other}` and
    /// `${NAME+other}`; `$$` is a dollar. Source: the Compose specification, "Interpolation".
    ///
    /// - Returns: nil for text that is not closed, as `${NAME`, and for defaults in more than 20 defaults.
    func expand(_ text: String) -> Result? { expand(text, depth: 0) }

    private func expand(_ text: String, depth: Int) -> Result? {
        guard depth < 20 else { return nil }
        var result = Result(text: "")
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result.text += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            if rest.first == "$" {
                result.text += "$"
                rest = rest.dropFirst()
            } else if rest.first == "{" {
                guard let end = Self.end(of: rest), let found = replace(rest[rest.index(after: rest.startIndex)..<end], depth) else { return nil }
                result.text += found.text
                result.missing += found.missing
                result.complaint = result.complaint ?? found.complaint
                rest = rest[rest.index(after: end)...]
            } else {
                let name = String(rest.prefix(while: Self.isNameCharacter))
                guard let first = name.first, !first.isNumber else {
                    // Compose refuses it; a lone dollar is what its author means.
                    result.text += "$"
                    continue
                }
                rest = rest.dropFirst(name.count)
                if let value = values[name] { result.text += value } else { result.missing.append(name) }
            }
        }
        result.text += rest
        return result
    }

    /// The brace that closes the one at the start.
    private static func end(of text: Substring) -> Substring.Index? {
        var depth = 0
        for index in text.indices {
            if text[index] == "{" { depth += 1 }
            if text[index] == "}" { depth -= 1 }
            if depth == 0 { return index }
        }
        return nil
    }

    private static func isNameCharacter(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || character == "_")
    }

    /// The value of what stands between braces.
    private func replace(_ inner: Substring, _ depth: Int) -> Result? {
        let name = String(inner.prefix(while: Self.isNameCharacter))
        guard let first = name.first, !first.isNumber else { return nil }
        var rest = inner.dropFirst(name.count)
        let value = values[name]
        guard !rest.isEmpty else { return value.map { Result(text: $0) } ?? Result(text: "", missing: [name]) }
        let emptyCounts = rest.first == ":"
        if emptyCounts { rest = rest.dropFirst() }
        let isSet = value.map { !emptyCounts || !$0.isEmpty } ?? false
        guard let kind = rest.first else { return nil }
        let other = String(rest.dropFirst())
        switch kind {
        case "-": return isSet ? Result(text: value ?? "") : expand(other, depth: depth + 1)
        case "+": return isSet ? expand(other, depth: depth + 1) : Result(text: "")
        case "?": return isSet ? Result(text: value ?? "") : Result(text: "", missing: [name], complaint: other.isEmpty ? nil : other)
        default: return nil
        }
    }

    /// Whether the value as a whole is a variable that the job may give: `${NAME}`, `${NAME:-default}`, `${NAME-default}` or `$NAME`, without
    /// another variable in its default. The result is in the form that `TaskVariable` reads.
    func asked(_ text: String) -> String? {
        guard text.hasPrefix("$"), !text.hasPrefix("$$") else { return nil }
        if !text.hasPrefix("${") {
            let name = text.dropFirst()
            guard let first = name.first, !first.isNumber, name.allSatisfy(Self.isNameCharacter), values[String(name)] == nil else { return nil }
            return "${\(name)}"
        }
        guard let end = Self.end(of: text.dropFirst()), text.index(after: end) == text.endIndex else { return nil }
        let inner = text.dropFirst(2).dropLast()
        let name = inner.prefix(while: Self.isNameCharacter)
        guard let first = name.first, !first.isNumber, values[String(name)] == nil else { return nil }
        let rest = inner.dropFirst(name.count)
        if rest.isEmpty || rest.hasPrefix(":?") || rest.hasPrefix("?") { return "${\(name)}" }
        for separator in [":-", "-"] where rest.hasPrefix(separator) {
            let fallback = String(rest.dropFirst(separator.count))
            guard !fallback.contains("\n"), let value = expand(fallback), value.missing.isEmpty else { return nil }
            return "${\(name):-\(value.text)}"
        }
        return nil
    }
}
