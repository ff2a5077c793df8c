/// What a value in a task's environment asks for: `${NAME}` or `${NAME:-default}`, as the whole value. In any other value `$` is literal, and an
/// empty value of the variable does not give the default, as for Harbor (`resolve_env_vars`).
public struct TaskVariable: Sendable, Hashable {
    public let name: String
    /// nil: the variable must have a value.
    public let fallback: String?

    /// nil for a literal value.
    public init?(_ value: String) {
        guard value.hasPrefix("${"), value.hasSuffix("}") else { return nil }
        let inner = value.dropFirst(2).dropLast()
        let name = inner.prefix { $0 != ":" && $0 != "}" }
        let rest = inner[name.endIndex...]
        guard !name.isEmpty, rest.isEmpty || rest.hasPrefix(":-"), !rest.contains("\n") else { return nil }
        self.name = String(name)
        fallback = rest.isEmpty ? nil : String(rest.dropFirst(2))
    }
}

/// A variable that a task asks the job for.
public struct AskedVariable: Sendable, Hashable {
    public let name: String
    /// Whether the task cannot run without a value.
    public let isRequired: Bool
}

extension EvalTask {
    /// The variables that the trials of the task ask the job for (`spec.environment.env`), sorted by name.
    ///
    /// - Parameters:
    ///   - oracle: whether the agent is the oracle, which gets `[solution] env`.
    ///   - verifies: whether tests run.
    ///   - agentVariables: the names of the agent's own variables, which a header of an MCP server may name as well.
    public func askedVariables(oracle: Bool, verifies: Bool, agentVariables: some Collection<String>) -> [AskedVariable] {
        var asked: [String: Bool] = [:]
        func ask(_ name: String, required: Bool) { asked[name] = asked[name] ?? false || required }
        var tables = [environment.env] + environment.services.services.map(\.env)
        if verifies { tables += [verifier.env, verifier.environment?.env ?? [:]] + steps.map(\.verifier.env) }
        if oracle { tables.append(solutionEnv) }
        for value in tables.flatMap(\.values) {
            if let variable = TaskVariable(value) { ask(variable.name, required: variable.fallback == nil) }
        }
        for name in environment.passedEnv + environment.services.services.flatMap(\.passedEnv) { ask(name, required: false) }
        for name in headerVariables where !agentVariables.contains(name.name) { ask(name.name, required: name.isRequired) }
        return asked.map { AskedVariable(name: $0.key, isRequired: $0.value) }.sorted { $0.name < $1.name }
    }

    /// The variables in the headers of the task's MCP servers. They stay in the agent's file as they are written, and the agent's environment
    /// has their values.
    public var headerVariables: [AskedVariable] {
        var found: [String: Bool] = [:]
        for value in environment.mcpServers.flatMap(\.headers.values) {
            for case .variable(let name, let fallback) in VariableTemplate(value).parts {
                found[name] = found[name] ?? false || fallback == nil
            }
        }
        return found.map { AskedVariable(name: $0.key, isRequired: $0.value) }.sorted { $0.name < $1.name }
    }
}
