import Base

extension PodWorker {
    /// Watches for the container's end and for its limits of memory and storage, and probes whether it has started.
    func follow(_ name: String, _ record: ContainerRecord) {
        guard let id = record.containerID else { return }
        services.exits.follow(id) { [intake] exit in intake.yield(.exited(exit)) }
        let clock = services.time
        unfollow(id)
        var tasks: [Task<Void, Never>] = []
        defer { watches[id] = tasks }
        if let probing = probe(name, record, id) { tasks.append(probing) }
        if let process = ContainerProcess(containerID: id, runRoot: services.directories.podmanRunRoot) {
            tasks.append(
                Task.detached { [intake] in
                    var looksInVain = 0
                    // The process must be missing twice in a row: if conmon reports the end at the same time, that report arrives first and
                    // cancels this loop.
                    while looksInVain < 2 {
                        do { try await clock.sleep(seconds: ContainerProcess.interval) } catch { return }
                        looksInVain = process.isAlive ? 0 : looksInVain + 1
                    }
                    intake.yield(.exited(ContainerExit(containerID: id, code: nil, at: clock.now())))
                })
        }
        if let watch = pod.container(name).flatMap({
            StorageWatch(container: $0, containerID: id, runRoot: services.directories.podmanRunRoot)
        }) {
            tasks.append(
                Task.detached { [intake, storage = services.storage] in
                    var wait = 1.0
                    while !Task.isCancelled {
                        do { try await clock.sleep(seconds: wait) } catch { return }
                        let (text, seconds) = await storage.run {
                            let start = clock.monotonic()
                            return (watch.overLimit(), clock.monotonic() - start)
                        }
                        if let text {
                            intake.yield(.overLimit(text))
                            return
                        }
                        // Less often the longer a measurement takes.
                        wait = max(2, 20 * seconds)
                    }
                })
        }
        guard let container = pod.container(name),
            let source = MemoryWatch.source(
                containerID: id, limit: container.limit("memory")?.whole, abilities: services.podman.abilities,
                runRoot: services.directories.podmanRunRoot)
        else { return }
        tasks.append(
            Task.detached { [intake] in
                while !Task.isCancelled {
                    do { try await clock.sleep(seconds: MemoryWatch.interval) } catch { return }
                    if MemoryWatch.isOver(source) {
                        intake.yield(.outOfMemory(container: name, id: id))
                        return
                    }
                }
            })
    }

    func unfollow(_ id: String) { watches.removeValue(forKey: id)?.forEach { $0.cancel() } }
}
