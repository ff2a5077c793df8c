/// Computes the phase of a pod from its containers. Source of the rule: kubelet `getPhase` (pkg/kubelet/kubelet_pods.go).
enum PhaseRules {
    static func phase(of pod: NodePod, containers: [String: ContainerRecord], isTerminal: Bool) -> String {
        var pendingInit = 0
        var failedInit = 0
        var running = 0
        var waiting = 0
        var pendingSidecars = 0
        var stopped = 0
        var succeeded = 0
        for container in pod.initContainers {
            guard let record = containers[container.name] else {
                if container.isSidecar { pendingSidecars += 1 } else { pendingInit += 1 }
                continue
            }
            if container.isSidecar {
                switch record.state {
                case .running:
                    running += 1
                    if !container.hasStarted(record) { pendingSidecars += 1 }
                case .ended: break
                case .waiting: if record.last == nil { pendingSidecars += 1 }
                }
                continue
            }
            switch record.state {
            case .running: pendingInit += 1
            case .ended(let end): if end.exitCode != 0 { failedInit += 1 }
            case .waiting:
                if let last = record.last { if last.exitCode != 0 { failedInit += 1 } } else { pendingInit += 1 }
            }
        }
        for container in pod.containers {
            guard let record = containers[container.name] else {
                waiting += 1
                continue
            }
            switch record.state {
            case .running: running += 1
            case .ended(let end):
                stopped += 1
                if end.exitCode == 0 { succeeded += 1 }
            case .waiting: if record.last != nil { stopped += 1 } else { waiting += 1 }
            }
        }
        if failedInit > 0, pod.restartPolicy == .never { return "Failed" }
        // A sidecar that starts again does not make a pod pending whose other containers have run.
        let hasRun = pod.containers.contains { containers[$0.name]?.hasRun == true }
        if pendingInit > 0 || waiting > 0 || pendingSidecars > 0 && !hasRun { return "Pending" }
        if running > 0 { return "Running" }
        guard stopped > 0 else { return "Pending" }
        if isTerminal { return stopped == succeeded ? "Succeeded" : "Failed" }
        switch pod.restartPolicy {
        case .always: return "Running"
        case .onFailure: return stopped == succeeded ? "Succeeded" : "Running"
        case .never: return stopped == succeeded ? "Succeeded" : "Failed"
        }
    }
}
