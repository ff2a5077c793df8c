import Base
import KubeCore
import KubeRuntime

/// The objects that all workers of a node share.
struct NodeServices: Sendable {
    var name: String
    var hostIP: String
    var podman: PodmanCLI
    var directories: NodeDirectories
    var volumes: VolumeStore
    var logs: LogStore
    var rootfs: RootfsImage
    var exits: ExitWatch
    var api: NodeAPI
    var events: EventRecorder
    var time: any TimeSource
    var executable: String?
    /// The directory with the socket of the egress proxy.
    var egressDirectory: String?
    var fields: PodFields
    /// For the measuring of what containers have written: one at a time, because it reads many directories.
    var storage = DiskQueue("assay.node.storage")
    var log: Log

    func event(_ severity: EventSeverity, _ reason: String, _ message: String, on pod: NodePod) {
        events.record(severity, reason: reason, message: message, on: EventSubject(.pods, pod.key, uid: pod.uid))
    }
}

/// The file that keeps the node's journal of a pod.
struct JournalFile: Sendable {
    let directories: NodeDirectories

    func path(_ uid: String) -> String { directories.pod(uid) + "/journal.json" }

    func save(_ journal: PodJournal) throws {
        try Directory.make(directories.pod(journal.uid), mode: 0o700)
        try FileWriting.replace(path(journal.uid), with: try JSONValueEncoder().encode(journal).serialized(), mode: 0o600, durable: false)
    }

    /// All journals that can be read; unreadable ones are treated as missing.
    func load() -> [String: PodJournal] {
        var journals: [String: PodJournal] = [:]
        for uid in (Directory.names(in: directories.pods) ?? []) {
            guard let text = FileReading.text(path(uid), limit: 16 << 20), let value = try? JSONValue(parsing: text),
                let journal = try? JSONValueDecoder().decode(PodJournal.self, from: value), journal.uid == uid
            else { continue }
            journals[uid] = journal
        }
        return journals
    }
}
