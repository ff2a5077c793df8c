import AssayAPI
import Base

extension JobDocuments {
    /// Gives the job's tasks the caller's variables (`assay run --task-env NAME`): `spec.environment.env` refers to a Secret that holds them, so
    /// that no value is in the job.
    ///
    /// - Throws: a `UsageError` that names every variable that the caller does not have.
    mutating func giveTasks(_ names: [String], from environment: [String: String]) throws(UsageError) {
        guard !names.isEmpty else { return }
        let missing = names.filter { environment[$0] == nil }
        guard missing.isEmpty else {
            throw UsageError("--task-env: the environment has no value for \(missing.sorted().joined(separator: ", ")); export it")
        }
        let secret = "\(jobName)-task-env"
        var entries = (job.at("spec", "environment", "env")?.array ?? []).filter { entry in !names.contains(entry["name"]?.string ?? "") }
        var data: [String: JSONValue] = [:]
        for name in names {
            data[name] = .string(environment[name] ?? "")
            entries.append(["name": .string(name), "valueFrom": ["secretKeyRef": ["name": .string(secret), "key": .string(name)]]])
        }
        job.set(["spec", "environment", "env"], to: .array(entries))
        others.append(
            (
                .secrets,
                [
                    "apiVersion": "v1", "kind": "Secret", "metadata": ["name": .string(secret), "namespace": .string(Self.namespace)],
                    "stringData": .object(data),
                ]
            ))
    }
}
