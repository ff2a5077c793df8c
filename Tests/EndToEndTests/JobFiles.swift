import Base

/// EvalJobs as text, as users write them.
enum JobFiles {
    /// - Parameters:
    ///   - agents: a YAML list; see `agent`.
    ///   - image: for all tasks; nil leaves it to each task.
    ///   - extra: more lines below `spec`, indented by two.
    static func job(
        _ name: String, datasets: String = "[{path: tasks}]", agents: String = "[{name: oracle}]", attempts: Int = 1, parallelism: Int = 4,
        source: String = "{repo: benchmark}", image: String? = "rootfs:/", environment: String = "",
        artifacts: String = "{backend: git, git: {remote: results.git}}", extra: String = ""
    ) -> String {
        let environment = [image.map { "image: \"\($0)\"" } ?? "", environment].filter { !$0.isEmpty }.joined(separator: ", ")
        return """
            apiVersion: assay.dev/v1alpha1
            kind: EvalJob
            metadata: {name: \(name)}
            spec:
              source: \(source)
              datasets: \(datasets)
              agents: \(agents)
              attempts: \(attempts)
              parallelism: \(parallelism)
              environment: {\(environment)}
              artifacts: \(artifacts)
            \(extra)

            """
    }

    /// A list with one agent with scripts. JSON is YAML, so any script can be written this way.
    static func agent(_ name: String, install: String? = nil, execute: String, env: [JSONValue] = []) -> String {
        var agent: JSONValue = ["name": .string(name), "execute": .string(execute)]
        if let install { agent["install"] = .string(install) }
        if !env.isEmpty { agent["env"] = .array(env) }
        return JSONValue.array([agent]).text
    }

    static func secret(_ name: String, _ data: [String: String]) -> String {
        let object: JSONValue = [
            "apiVersion": "v1", "kind": "Secret", "metadata": ["name": .string(name)], "stringData": .object(data.mapValues { .string($0) }),
        ]
        return object.text + "\n---\n"
    }
}
