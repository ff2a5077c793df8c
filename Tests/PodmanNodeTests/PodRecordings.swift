import Base
import Foundation
import Testing

@testable import PodmanNode

/// What a watcher saw of pods on a real node (kubelet 1.36).
enum PodRecordings {
    static let names = [
        "command-not-found", "deadline-exceeded", "deleted-while-running-ignores-term", "deleted-while-running", "deleted-with-finalizer",
        "emptydir-over-limit", "evicted-by-api", "image-missing-never-pull", "image-name-invalid", "image-pull-fails", "init-fails",
        "init-restarts-on-failure-policy", "native-sidecar", "node-lost", "oom-killed", "secret-key-missing", "succeeded", "trial-exit-3",
        "unschedulable-cpu", "unschedulable-gpu", "unschedulable-selector", "volume-secret-missing",
    ]

    /// The pod after each change, in order.
    static func pods(_ name: String) throws -> [JSONValue] {
        try lines(name).filter { $0["watch"]?.string == "pod" && $0["type"]?.string != "DELETED" }.compactMap { $0["object"] }
    }

    static func events(_ name: String) throws -> [JSONValue] {
        try lines(name).filter { $0["watch"]?.string == "event" }.compactMap { $0["object"] }
    }

    private static func lines(_ name: String) throws -> [JSONValue] {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/pods/\(name)", withExtension: "jsonl"))
        return try Data(contentsOf: url).split(separator: UInt8(ascii: "\n")).map { try JSONValue(parsing: $0) }
    }
}

/// The parts of a status that are equal in every run and on every node.
struct NormalStatus: Hashable, CustomStringConvertible {
    var phase: String
    var reason: String?
    var message: String?
    var conditions: [String]
    var containers: [String]
    var deleting: Int?

    init(_ pod: JSONValue) {
        let status = pod["status"] ?? [:]
        phase = status["phase"]?.string ?? ""
        reason = status["reason"]?.string
        message = status["message"]?.string
        conditions = (status["conditions"]?.array ?? []).map { condition in
            "\(condition["type"]?.string ?? "")=\(condition["status"]?.string ?? "") \(condition["reason"]?.string ?? "") \(condition["message"]?.string ?? "")"
        }.sorted()
        containers = ["initContainerStatuses", "containerStatuses"].flatMap { list in
            (status[list]?.array ?? []).map(Self.container)
        }
        deleting = pod.at("metadata", "deletionTimestamp") == nil ? nil : pod.at("metadata", "deletionGracePeriodSeconds")?.int
    }

    private static func container(_ status: JSONValue) -> String {
        var words = [status["name"]?.string ?? ""]
        for key in ["state", "lastState"] {
            for (kind, value) in status[key]?.object ?? [:] {
                words.append("\(key)=\(kind)")
                for field in ["exitCode", "reason", "message"] { if let value = value[field] { words.append("\(field):\(value.text)") } }
                if kind == "terminated", value["startedAt"]?.string == "1970-01-01T00:00:00Z" { words.append("never started") }
            }
        }
        for key in ["ready", "started", "restartCount"] { words.append("\(key)=\(status[key]?.text ?? "-")") }
        words.append(status["containerID"] == nil ? "no id" : "id")
        words.append(status["imageID"]?.string == "" ? "no image" : "image")
        if let mounts = status["volumeMounts"] { words.append(mounts.text) }
        return words.joined(separator: " ")
    }

    var description: String {
        "\(phase) \(reason ?? "") \(message ?? "") \(deleting.map { "deleting(\($0))" } ?? "")\n    \(conditions.joined(separator: "\n    "))\n    "
            + containers.joined(separator: "\n    ")
    }
}
