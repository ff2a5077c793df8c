import Base

// Ends containers.
extension PodWorker {
    /// Tells containers to end, as the first step of the pod's own end.
    func stop(_ names: [String], graceSeconds: Int) async {
        let killAt = services.time.now().adding(seconds: Double(graceSeconds))
        var ids: [String] = []
        for name in names {
            services.event(.normal, "Killing", "Stopping container \(name)", on: pod)
            journal.containers[name]?.killAt = killAt
            if let id = journal.containers[name]?.containerID { ids.append(id) }
        }
        if journal.stoppingSince == nil { journal.stoppingSince = services.time.now() }
        save()
        await publish()
        guard graceSeconds > 0 else { return }
        do { try await services.podman.signal("TERM", ids) } catch { log.warning("TERM could not be sent", ["error": .string("\(error)")]) }
    }

    func kill(_ names: [String]) async {
        let ids = names.compactMap { journal.containers[$0]?.containerID }
        // Tries again after 5 s, because the runtime may have been busy.
        for name in names { journal.containers[name]?.killAt = services.time.now().adding(seconds: 5) }
        killedByNode.formUnion(ids)
        do { try await services.podman.signal("KILL", ids) } catch { log.warning("KILL could not be sent", ["error": .string("\(error)")]) }
    }
}
