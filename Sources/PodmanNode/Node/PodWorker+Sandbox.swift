import Base

/// Why the network of a pod could not be made. As the kubelet does, the node reports a `FailedCreatePodSandBox` event and tries again.
struct SandboxFailure: Error, Sendable {
    var reason: String
    var message: String { "Failed to create pod sandbox: \(reason)" }
}

// The network of the pod: made before the first container, removed after the last one.
extension PodWorker {
    /// Makes the sandbox, unless this worker has already made or found it.
    func makeSandbox() async throws(SandboxFailure) {
        guard !hasSandbox else { return }
        do {
            let root = try services.rootfs.skeleton(workingDirectory: nil)
            let labels = [
                PodmanCLI.podLabel: uid, "io.kubernetes.pod.name": pod.key.name, "io.kubernetes.pod.namespace": pod.key.namespace,
            ]
            let asked = services.time.monotonic()
            try await services.podman.makeSandbox(
                sandboxName, RunArguments.sandbox(named: sandboxName, labels: labels, root: root, relay: relay(), services.podman.abilities))
            log.debug("sandbox", ["milliseconds": .int(Int64((services.time.monotonic() - asked) * 1000))])
            hasSandbox = true
        } catch {
            throw error as? SandboxFailure ?? SandboxFailure(reason: (error as? PodmanCLI.Failure)?.message ?? "\(error)")
        }
    }

    /// The relay of a pod that may have no interface but loopback; nil for other pods.
    private func relay() throws -> PodRelay? {
        guard PodRelay.isNeeded(for: pod) else { return nil }
        guard let directory = services.egressDirectory, let executable = services.executable else {
            throw SandboxFailure(reason: "the pod's network is restricted, and this node has no egress proxy")
        }
        return PodRelay(directory: directory, executable: executable)
    }

    /// Removes containers. A removal that has begun is finished also when the worker is stopped meanwhile: the end of a job may end the whole
    /// command while the last pod is torn down, and the next start would find its sandbox still running.
    func remove(_ names: [String]) async throws {
        let podman = services.podman
        try await Task { try await podman.remove(names) }.value
    }

    /// Removes the sandbox. Runs after the pod's last status was written, which need not wait for it. A failure is repaired when the pod object
    /// is deleted.
    func removeSandbox() async {
        do {
            try await remove([sandboxName])
            hasSandbox = false
        } catch {
            log.warning("the pod's sandbox could not be removed", ["error": .string("\(error)")])
        }
    }
}
