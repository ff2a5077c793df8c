import Base
import KubeClient
import KubeCore

/// The same number of pods as an Indexed Job of Kubernetes, which counts their ends and keeps the pods.
struct KubernetesJob {
    let client: KubeClient
    let namespace: String
    /// A pod as the operator creates it: the Job's pods have the same containers and volumes.
    let template: JSONValue

    /// - Returns: seconds from the creation of the Job until it is complete.
    func run(name: String, trials: Int, parallelism: Int) async throws -> Double {
        var spec = template["spec"] ?? [:]
        spec["nodeName"] = nil
        let job: JSONValue = [
            "apiVersion": "batch/v1", "kind": "Job", "metadata": ["name": .string(name), "namespace": .string(namespace)],
            "spec": [
                "completions": JSONValue(trials), "parallelism": JSONValue(parallelism), "completionMode": "Indexed", "backoffLimit": 0,
                "template": ["spec": spec],
            ],
        ]
        let time = try await seconds {
            let version = try await client.create(.jobs, job, fieldValidation: "Strict").at("metadata", "resourceVersion")?.string
            let lines = try await client.watch(
                .jobs, namespace: namespace,
                options: WatchOptions(fieldSelector: "metadata.name=\(name)", resourceVersion: version, timeoutSeconds: 900))
            guard try await Completion.awaited(in: lines) else { throw BenchmarkError("the Job of Kubernetes does not end") }
        }
        try await client.delete(.jobs, ObjectKey(namespace: namespace, name: name), options: DeleteOptions(propagation: .foreground))
        return time
    }
}

/// The condition `Complete` of a Job or an EvalJob.
enum Completion {
    /// - Parameter lines: of a watch for one object.
    /// - Returns: false when the watch ends before the object is complete.
    /// - Throws: when the object has failed.
    static func awaited<Lines: AsyncSequence>(in lines: Lines) async throws -> Bool where Lines.Element == [UInt8] {
        for try await line in lines {
            let object = try JSONValue(parsing: line)["object"]
            for condition in object?.at("status", "conditions")?.array ?? [] where condition["status"]?.string == "True" {
                switch condition["type"]?.string {
                case "Complete": return true
                case "Failed": throw BenchmarkError("the job failed: \(condition["message"]?.string ?? "")")
                default: break
                }
            }
        }
        return false
    }
}
