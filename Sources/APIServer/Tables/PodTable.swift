import Base

/// The table of pods (`printPod`).
enum PodTable {
    static let printer = TablePrinter(columns: [
        .name, TableColumn(name: "Ready"), TableColumn(name: "Status"), TableColumn(name: "Restarts"), .age,
        TableColumn(name: "IP", priority: 1), TableColumn(name: "Node", priority: 1),
        TableColumn(name: "Nominated Node", priority: 1), TableColumn(name: "Readiness Gates", priority: 1),
    ]) { pod, now in
        let status = pod["status"] ?? [:]
        let containers = status["containerStatuses"]?.array ?? []
        let sidecars = (pod.at("spec", "initContainers")?.array ?? []).filter { $0["restartPolicy"]?.string == "Always" }
        let total = (pod.at("spec", "containers")?.array?.count ?? 0) + sidecars.count
        let sidecarNames = Set(sidecars.compactMap { $0["name"]?.string })
        let initial = (status["initContainerStatuses"]?.array ?? [])
        let ready =
            containers.filter { $0["ready"]?.bool == true && $0.at("state", "running") != nil }.count
            + initial.filter { sidecarNames.contains($0["name"]?.string ?? "") && $0["ready"]?.bool == true }.count
        let restarts = containers.reduce(0) { $0 + ($1["restartCount"]?.int ?? 0) }
        let node = pod.at("spec", "nodeName")?.string ?? ""
        return [
            pod.at("metadata", "name") ?? "", "\(ready)/\(total)", .string(reason(pod)), "\(restarts)",
            TablePrinter.age(pod, now),
            status["podIP"] ?? "<none>", .string(node.isEmpty ? "<none>" : node), status["nominatedNodeName"] ?? "<none>",
            "<none>",
        ]
    }

    private static func reason(_ pod: JSONValue) -> String {
        let status = pod["status"] ?? [:]
        var reason = status["reason"]?.string ?? status["phase"]?.string ?? ""
        let specs = pod.at("spec", "initContainers")?.array ?? []
        var isInitializing = false
        for (index, container) in (status["initContainerStatuses"]?.array ?? []).enumerated() {
            let state = container["state"] ?? [:]
            if let end = state["terminated"] {
                if end["exitCode"]?.int == 0 { continue }
                reason = "Init:" + ended(end)
            } else if let why = state.at("waiting", "reason")?.string, !why.isEmpty, why != "PodInitializing" {
                reason = "Init:\(why)"
            } else if index < specs.count, specs[index]["restartPolicy"]?.string == "Always", container["started"]?.bool == true {
                continue
            } else {
                reason = "Init:\(index)/\(specs.count)"
            }
            isInitializing = true
            break
        }
        if !isInitializing {
            var hasRunning = false
            for container in (status["containerStatuses"]?.array ?? []).reversed() {
                let state = container["state"] ?? [:]
                if let why = state.at("waiting", "reason")?.string, !why.isEmpty {
                    reason = why
                } else if let end = state["terminated"] {
                    reason = ended(end)
                } else if container["ready"]?.bool == true, state["running"] != nil {
                    hasRunning = true
                }
            }
            if reason == "Completed", hasRunning { reason = "Running" }
        }
        guard pod.at("metadata", "deletionTimestamp") != nil else { return reason }
        let phase = status["phase"]?.string
        if status["reason"]?.string == "NodeLost" { return "Unknown" }
        return phase == "Succeeded" || phase == "Failed" ? reason : "Terminating"
    }

    private static func ended(_ end: JSONValue) -> String {
        if let why = end["reason"]?.string, !why.isEmpty { return why }
        if let signal = end["signal"]?.int, signal != 0 { return "Signal:\(signal)" }
        return "ExitCode:\(end["exitCode"]?.int ?? 0)"
    }
}
