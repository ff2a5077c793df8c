import Base

/// What a startup probe that failed says, in the kubelet's words.
struct StartupFailure: Sendable, Hashable {
    /// The probe's output, or why it could not be run.
    var output: String
    /// Whether it failed as often in a row as it may: the container is ended.
    var isLast: Bool
}

// Startup probes: until the probe of a sidecar has succeeded, nothing after it is started.
extension PodWorker {
    /// Probes a container that runs until it has started; nil when there is nothing to probe.
    ///
    /// Source of the rule: kubelet prober `worker.doProbe`: a probe each period, also while the one before failed; the container is ended after
    /// `failureThreshold` failures in a row.
    func probe(_ name: String, _ record: ContainerRecord, _ id: String) -> Task<Void, Never>? {
        guard let container = pod.container(name), let probe = container.startupProbe, record.isRunning, record.startedAt == nil else { return nil }
        let (podman, clock, sandbox) = (services.podman, services.time, sandboxName)
        let literals = EnvironmentPlan.literals(of: container)
        return Task.detached { [intake] in
            var failures = 0
            do { try await clock.sleep(seconds: Double(probe.initialDelaySeconds)) } catch { return }
            while !Task.isCancelled {
                let failure = await podman.failure(of: probe, in: id, sandbox: sandbox, variables: literals)
                if Task.isCancelled { return }
                guard let failure else {
                    intake.yield(.probed(container: name, id: id, failure: nil))
                    return
                }
                failures += 1
                let isLast = failures >= probe.failureThreshold
                intake.yield(.probed(container: name, id: id, failure: StartupFailure(output: failure, isLast: isLast)))
                if isLast { return }
                do { try await clock.sleep(seconds: Double(probe.periodSeconds)) } catch { return }
            }
        }
    }

    /// Records that a container has started, or ends one whose probe failed too often. It is then restarted as its policy says.
    func startupProbed(_ name: String, _ id: String, _ failure: StartupFailure?) async {
        guard var record = journal.containers[name], record.containerID == id, record.isRunning else { return }
        guard let failure else {
            record.startedAt = services.time.now()
            journal.containers[name] = record
            save()
            return
        }
        services.event(.warning, "Unhealthy", "Startup probe failed: \(failure.output)", on: pod)
        guard failure.isLast, record.killAt == nil else { return }
        services.event(.normal, "Killing", "Container \(name) failed startup probe, will be restarted", on: pod)
        journal.containers[name]?.killAt = services.time.now().adding(seconds: Double(pod.terminationGraceSeconds))
        save()
        do { try await services.podman.signal("TERM", [id]) } catch { log.warning("TERM could not be sent", ["error": .string("\(error)")]) }
    }
}
