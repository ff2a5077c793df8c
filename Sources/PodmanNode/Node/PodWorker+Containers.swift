import Base
import KubeCore
import KubeRuntime

// Starts containers and records their ends.
extension PodWorker {
    /// Tries to start a container. If that fails, the record gets the reason and the time of the next attempt.
    func start(_ name: String) async {
        guard let container = pod.container(name) else { return }
        var record = journal.containers[name] ?? ContainerRecord()
        if let end = record.end { record = again(name, record, after: end) }
        journal.containers[name] = record

        if let refusal = PodRefusal.refusal(of: container, in: pod) {
            return wait(name, "CreateContainerConfigError", refusal, event: "Error: \(refusal)")
        }
        guard let imageID = await image(of: container, name) else { return }
        record.imageID = imageID
        let environment: EnvironmentPlan
        let binds: [MountPlan.Bind]
        do {
            let values = try await services.api.values(
                EnvironmentPlan.references(of: container), namespace: pod.key.namespace, fields: services.fields)
            environment = try EnvironmentPlan(container, of: pod, values: values)
            let paths = services.volumes.paths(of: pod)
            binds = try MountPlan.binds(of: container, variables: environment.variables) { paths[$0] }
            try makeSubPaths(binds)
        } catch let error as ContainerConfigError {
            return wait(name, "CreateContainerConfigError", error.message, event: "Error: \(error.message)")
        } catch {
            return wait(name, "CreateContainerConfigError", "\(error)", event: "Error: \(error)")
        }
        await run(container, record, environment, binds)
    }

    /// The record of the next instance of a container that has ended.
    private func again(_ name: String, _ record: ContainerRecord, after end: ContainerEnd) -> ContainerRecord {
        var next = record
        next.last = end
        next.restarts += 1
        next.state = .waiting(reason: nil, message: nil)
        next.killAt = nil
        next.startedAt = nil
        return next
    }

    private func run(_ container: NodeContainer, _ before: ContainerRecord, _ environment: EnvironmentPlan, _ binds: [MountPlan.Bind]) async {
        let name = container.name
        var record = before
        do {
            try await makeSandbox()
            let request = try request(container, record, environment, binds)
            record.starting = true
            journal.containers[name] = record
            save()
            let asked = services.time.monotonic()
            var started = try await services.podman.run(request)
            log.debug(
                "podman run",
                [
                    "container": .string(name), "milliseconds": .int(Int64((services.time.monotonic() - asked) * 1000)),
                    "answer": .string("\(started)"),
                ])
            if case .createError(let message) = started, message.contains("already in use") {
                // An earlier node process with the same directory has started the container already, so it is not started again.
                started = try await adopt(request.name) ?? started
            }
            if case .startError(let message) = started, message.hasPrefix("workdir "), message.contains("does not exist") {
                started = try await runInNewDirectory(request) ?? started
            }
            record.starting = false
            let now = services.time.now()
            switch started {
            case .running(let id):
                record.containerID = id
                record.state = .running(since: now)
                record.notBefore = nil
                services.event(.normal, "Created", "Container created", on: pod)
                services.event(.normal, "Started", "Container started", on: pod)
                journal.containers[name] = record
                save()
                follow(name, record)
            case .startError(let message):
                services.event(.normal, "Created", "Container created", on: pod)
                services.event(.warning, "Failed", "Error: \(message)", on: pod)
                record.containerID = (FileReading.text(request.identifierFile, limit: 128)?.filter(\.isHexDigit)).flatMap { $0.isEmpty ? nil : $0 }
                record.state = .ended(
                    ContainerEnd(
                        exitCode: 128, reason: "StartError", message: message, startedAt: Timestamp(seconds: 0), finishedAt: now,
                        containerID: record.containerID))
                journal.containers[name] = backOff(name, record, ranFor: 0, now)
                save()
                try await services.podman.remove([request.name])
            case .createError(let message):
                try await services.podman.remove([request.name])
                journal.containers[name] = record
                wait(name, "CreateContainerError", message, event: "Error: \(message)")
            }
        } catch {
            record.starting = false
            journal.containers[name] = record
            wait(name, "CreateContainerError", "\(error)", event: "Error: \(error)")
        }
    }

    private func request(
        _ container: NodeContainer, _ record: ContainerRecord, _ environment: EnvironmentPlan, _ binds: [MountPlan.Bind]
    ) throws -> RunArguments.Request {
        let name = container.name
        let message = terminationLog(name, record.restarts)
        if let slash = message.lastIndex(of: "/") { try Directory.make(String(message[..<slash]), mode: 0o755) }
        try FileWriting.write([], to: message, mode: 0o666)
        let identifier = "\(services.directories.pod(uid))/\(name).\(record.restarts).cid"
        Directory.removeTree(identifier)
        let image: RunArguments.Image
        if container.image == ImageReference.hostRoot {
            let root = try services.rootfs.skeleton(
                workingDirectory: container.workingDirectory.map { text in EnvExpansion.expand(text) { environment.variables[$0] } })
            image = .hostRoot(skeleton: root.path, overlays: root.overlays, executable: services.executable)
        } else {
            image = .registry(container.image)
        }
        return RunArguments.Request(
            name: containerName(name, record.restarts),
            labels: [
                PodmanCLI.podLabel: uid, PodmanCLI.containerLabel: name, PodmanCLI.instanceLabel: String(record.restarts),
                "io.kubernetes.pod.name": pod.key.name, "io.kubernetes.pod.namespace": pod.key.namespace,
            ],
            sandbox: sandboxName, image: image, pod: pod, container: container, environment: environment, binds: binds, terminationLog: message,
            hosts: hostsFile, resolver: pod.resolver.map { _ in resolverFile },
            profile: PodRelay.isNeeded(for: pod) && services.podman.abilities.closesSockets ? services.directories.socketProfile : nil,
            log: services.logs.path(uid: uid, container: name, instance: record.restarts),
            identifierFile: identifier)
    }

    /// podman refuses a working directory that the image lacks, while other runtimes create it. Here an empty directory is mounted at that path.
    private func runInNewDirectory(_ request: RunArguments.Request) async throws -> PodmanCLI.Started? {
        guard let directory = request.container.workingDirectory.map({ text in EnvExpansion.expand(text) { request.environment.variables[$0] } }),
            directory.hasPrefix("/"), !directory.contains(":")
        else { return nil }
        try await services.podman.remove([request.name])
        Directory.removeTree(request.identifierFile)
        let source = "\(services.directories.pod(uid))/workdir/\(request.container.name)"
        try Directory.make(source, mode: 0o755)
        var again = request
        again.binds.append(MountPlan.Bind(source: source, target: directory, readOnly: false))
        return try await services.podman.run(again)
    }

    /// The container with this name, if it exists and has been started before. If it has ended, its end is reported to this worker.
    private func adopt(_ name: String) async throws -> PodmanCLI.Started? {
        guard let found = try await services.podman.list().first(where: { $0.name == name }), !found.neverStarted else { return nil }
        if !found.isRunning {
            send(.exited(ContainerExit(containerID: found.id, code: found.exitCode, at: found.exitedAt)))
        }
        return .running(id: found.id)
    }

    /// Makes the directories that mounts of a part of a volume need. They must not lead out of the volume.
    private func makeSubPaths(_ binds: [MountPlan.Bind]) throws {
        let roots = services.volumes.paths(of: pod).values
        for bind in binds where !roots.contains(bind.source) {
            guard let root = roots.filter({ bind.source.hasPrefix($0 + "/") }).max(by: { $0.count < $1.count }) else { continue }
            var path = root
            for part in bind.source.dropFirst(root.count + 1).split(separator: "/") {
                path += "/" + part
                if FileEntry.kind(path) == .link {
                    throw ContainerConfigError(message: "subPath \(path.dropFirst(root.count + 1)) is a symbolic link")
                }
                if FileEntry.kind(path) == nil { try Directory.make(path, mode: 0o777) }
            }
        }
    }

    /// Records why the container cannot be started now and when to try again: about every twelve seconds, as the kubelet does.
    private func wait(_ name: String, _ reason: String, _ message: String, event: String?, seconds: Double = 12) {
        if let event { services.event(.warning, "Failed", event, on: pod) }
        var record = journal.containers[name] ?? ContainerRecord()
        record.state = .waiting(reason: reason, message: message)
        record.notBefore = services.time.now().adding(seconds: seconds)
        journal.containers[name] = record
        save()
    }

    // MARK: Images

    /// The image's id if the image is present; nil when the container must wait, for the pull or for the reason that is now in its record.
    private func image(of container: NodeContainer, _ name: String) async -> String? {
        let image = container.image
        if let problem = ImageReference.problem(with: image) {
            services.event(.warning, "InspectFailed", problem, on: pod)
            wait(name, "InvalidImageName", problem, event: "Error: InvalidImageName")
            return nil
        }
        let present = "Container image \"\(image)\" already present on machine and can be accessed by the pod"
        if image == ImageReference.hostRoot {
            services.event(.normal, "Pulled", present, on: pod)
            return RootfsImage.imageID
        }
        let policy = container.pullPolicy ?? ImageReference.defaultPullPolicy(image)
        let identifier = try? await services.podman.imageID(image)
        // An image under `localhost/` was built on this machine, so no registry can provide it.
        let local = image.hasPrefix("localhost/")
        if let identifier, policy != "Always" || local || pulledImages.contains(name) {
            if pulledImages.remove(name) == nil { services.event(.normal, "Pulled", present, on: pod) }
            pullBackoff[name] = nil
            return identifier
        }
        if policy == "Never" {
            let message = "Container image \"\(image)\" is not present with pull policy of Never"
            services.event(.warning, "ErrImageNeverPull", message, on: pod)
            wait(name, "ErrImageNeverPull", message, event: "Error: ErrImageNeverPull")
            return nil
        }
        if let backoff = pullBackoff[name], backoff.until > services.time.now() {
            services.event(.normal, "BackOff", "Back-off pulling image \"\(image)\"", on: pod)
            wait(
                name, "ImagePullBackOff", "Back-off pulling image \"\(image)\": ErrImagePull: \(backoff.message)",
                event: "Error: ImagePullBackOff", seconds: backoff.until - services.time.now())
            return nil
        }
        services.event(.normal, "Pulling", "Pulling image \"\(image)\"", on: pod)
        let (podman, clock) = (services.podman, services.time)
        pulls[name] = Task { [weak self] in
            let start = clock.monotonic()
            var failure: String?
            do { try await podman.pull(image) } catch { failure = (error as? PodmanCLI.Failure)?.message ?? "\(error)" }
            if Task.isCancelled { return }
            self?.send(.pulled(container: name, failure: failure, seconds: clock.monotonic() - start))
        }
        return nil
    }

    func pullEnded(_ name: String, failure: String?, seconds: Double) {
        guard pulls.removeValue(forKey: name) != nil, let image = pod.container(name)?.image else { return }
        guard let failure else {
            pulledImages.insert(name)
            services.event(.normal, "Pulled", "Successfully pulled image \"\(image)\" in \(Int(seconds * 1000))ms", on: pod)
            return
        }
        let failures = (pullBackoff[name]?.failures ?? 0) + 1
        let until = services.time.now().adding(seconds: PodPlan.backoff(afterFailures: failures + 1))
        pullBackoff[name] = (until, failures, failure)
        services.event(.warning, "Failed", "Failed to pull image \"\(image)\": \(failure)", on: pod)
        wait(name, "ErrImagePull", failure, event: "Error: ErrImagePull", seconds: 0.5)
    }

    // MARK: Ends

    func containerEnded(_ exit: ContainerExit) async {
        guard let (name, record) = journal.containers.first(where: { $0.value.containerID == exit.containerID }),
            case .running(let since) = record.state
        else { return }
        log.debug("a container ended", ["container": .string(name), "code": exit.code.map { .int(Int64($0)) } ?? .null])
        unfollow(exit.containerID)
        services.exits.forget(exit.containerID)
        await note(name, record, since: since, exit)
    }

    /// Records the end of a container.
    func note(_ name: String, _ before: ContainerRecord, since: Timestamp, _ exit: ContainerExit) async {
        let container = pod.container(name)
        var record = before
        var runtimeReportsOutOfMemory = false
        var code = exit.code
        let hasLimit = container?.limit("memory") != nil
        let seen = sawOutOfMemory.contains(exit.containerID)
        var kernelLog: Bool?
        let asksKernel = code != 0 || !services.podman.abilities.killsWholeContainer
        if hasLimit, asksKernel, !seen { kernelLog = MemoryWatch.kernelLogReportsKill(in: exit.containerID) }
        if code == nil || (hasLimit && code != 0 && !seen && kernelLog != true) {
            let state = await endedState(exit.containerID)
            runtimeReportsOutOfMemory = state?["OOMKilled"]?.bool ?? false
            code = code ?? state?["ExitCode"]?.int
        }
        let exitCode = code ?? 137
        let memory = MemoryWatch.verdict(
            exitCode: exitCode, hasLimit: hasLimit, killedByNode: killedByNode.contains(exit.containerID) || journal.ending != nil,
            seen: seen, runtime: runtimeReportsOutOfMemory, kernelLog: kernelLog)
        let message = terminationMessage(container, name, record.restarts, failed: exitCode != 0)
        record.state = .ended(
            ContainerEnd(
                exitCode: exitCode, reason: memory ? "OOMKilled" : exitCode == 0 ? "Completed" : "Error", message: message,
                startedAt: min(since, exit.at), finishedAt: exit.at, containerID: exit.containerID))
        record.killAt = nil
        journal.containers[name] = backOff(name, record, ranFor: exit.at - since, services.time.now())
        save()
    }

    /// podman's state of the container, once that says that the container has ended.
    private func endedState(_ id: String) async -> JSONValue? {
        for attempt in 0..<20 {
            guard let state = try? await services.podman.state(of: id) else { return nil }
            if state["Running"]?.bool != true { return state }
            try? await services.time.sleep(seconds: 0.02 * Double(attempt + 1))
        }
        return nil
    }

    /// Sets when the container may start again, if it may at all.
    private func backOff(_ name: String, _ before: ContainerRecord, ranFor seconds: Double, _ now: Timestamp) -> ContainerRecord {
        var record = before
        guard let end = record.end, journal.ending == nil else { return record }
        let isSidecar = pod.container(name)?.isSidecar ?? false
        guard isSidecar || pod.restartPolicy == .always || (pod.restartPolicy == .onFailure && end.exitCode != 0) else { return record }
        // A run of more than ten minutes resets the back-off.
        record.failures = seconds > 600 ? 1 : record.failures + 1
        let wait = PodPlan.backoff(afterFailures: record.failures)
        record.notBefore = now.adding(seconds: wait)
        if wait > 0 {
            services.event(
                .warning, "BackOff",
                "Back-off restarting failed container \(name) in pod \(pod.key.name)_\(pod.key.namespace)(\(uid))", on: pod)
        }
        return record
    }

    /// At most the last 4096 bytes of the file, and 12 KiB over all containers of the pod, as the kubelet does.
    private func terminationMessage(_ container: NodeContainer?, _ name: String, _ instance: Int, failed: Bool) -> String? {
        let share = min(4096, 12288 / max(pod.allContainers.count, 1))
        let bytes = FileReading.beginning(of: terminationLog(name, instance), limit: 1 << 20) ?? []
        var text = String(decoding: bytes.suffix(4096), as: UTF8.self)
        if text.isEmpty, failed, container?.terminationMessageFallsBackToLogs == true {
            text = services.logs.tail(uid: uid, container: name, instance: instance)
        }
        guard !text.isEmpty else { return nil }
        return text.utf8.count > share ? String(decoding: Array(text.utf8.prefix(share)), as: UTF8.self) : text
    }
}
