import Base
import Glibc
import Subprocess

/// One build of an image with podman.
public struct PodmanBuild: Sendable {
    /// Bounds for what a build uses. podman bounds the memory; the node watches the rest.
    public struct Limits: Sendable {
        public var seconds: Double
        /// Processes of the build, podman's included.
        public var processes = 4096
        /// Bytes by which the free space of the node's disk may shrink during the build.
        public var diskBytes = 64 << 30
        /// Bytes that stay free on the node's disk.
        public var freeBytes = 1 << 30

        public init(seconds: Double) { self.seconds = seconds }
    }

    /// The name and tag that the image gets.
    public var name: String
    /// A folder with the Dockerfile and all files of the context.
    public var context: String
    /// Relative to the context.
    public var dockerfile: String
    /// The stage to stop at; nil for the last.
    public var stage: String?
    public var arguments: [String: String]
    public var limits: Limits

    public init(
        name: String, context: String, dockerfile: String = "Dockerfile", stage: String? = nil, arguments: [String: String] = [:], limits: Limits
    ) {
        self.dockerfile = dockerfile
        self.stage = stage
        self.name = name
        self.context = context
        self.arguments = arguments
        self.limits = limits
    }

    /// How a build ended. `log` has the end of its output; after a failure, the failing step comes first.
    public enum End: Sendable, Hashable {
        /// - reference: the image's name with its digest.
        case built(reference: String, log: String)
        case failed(reason: String, log: String)
        case timedOut(step: String?, log: String)
        case cancelled

        var isBuilt: Bool {
            if case .built = self { return true }
            return false
        }
    }
}

/// The builds that run now. What builds left in the storage is removed only while none runs, and none begins meanwhile.
actor ActiveBuilds {
    private var count = 0
    /// A build was killed or failed, and what it left is not removed yet.
    private var hasRemains = false
    private var isCleaning = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func enter() async {
        while isCleaning { await withCheckedContinuation { waiting.append($0) } }
        count += 1
    }

    /// - Parameters:
    ///   - isBuilt: whether the build succeeded, so that it left nothing.
    ///   - clean: removes what builds left.
    func leave(isBuilt: Bool, clean: @Sendable () async -> Void) async {
        count -= 1
        if !isBuilt { hasRemains = true }
        guard count == 0, hasRemains else { return }
        isCleaning = true
        await clean()
        (isCleaning, hasRemains) = (false, false)
        waiting.forEach { $0.resume() }
        waiting = []
    }
}

/// Builds images in the node's own storage, where its pods find them. podman keeps the layers of earlier builds.
extension PodmanNode {
    /// podman's version, which may change what a build makes.
    public var builderVersion: String { startedNode?.podman.abilities.version.split(separator: ";").first.map(String.init) ?? "podman" }

    /// The reference of an image by its digest, if the node has it.
    public func imageReference(_ name: String) async throws -> String? {
        guard let podman = startedNode?.podman else { return nil }
        return try await podman.imageDigest(name).map { Self.reference(name, $0) }
    }

    private static func reference(_ name: String, _ digest: String) -> String {
        let last = name.lastIndex(of: "/") ?? name.startIndex
        let tag = name[last...].lastIndex(of: ":") ?? name.endIndex
        return "\(name[..<tag])@\(digest)"
    }

    /// Builds an image. When the task is cancelled or a limit is exceeded, everything that the build has started is killed.
    public func build(_ build: PodmanBuild) async -> PodmanBuild.End {
        guard let podman = startedNode?.podman else { return .failed(reason: "the node was not started", log: "") }
        await builds.enter()
        let end = await run(build, podman)
        await builds.leave(isBuilt: end.isBuilt) { await podman.removeBuildContainers() }
        return end
    }

    private func run(_ build: PodmanBuild, _ podman: PodmanCLI) async -> PodmanBuild.End {
        let log = Locked(BuildLog())
        let running: RunningCommand
        // A build that is killed leaves its temporary files.
        let temporary = "\(directories.builds)/\(UInt32.random(in: 0 ... .max))"
        defer { Directory.removeTree(temporary) }
        do {
            try Directory.make(temporary, mode: 0o700)
            let registries = try registriesFile()
            let command = podman.command(
                BuildArguments.words(build, podman.abilities, memory: Self.memory),
                environment: ["CONTAINERS_REGISTRIES_CONF": registries, "TMPDIR": temporary])
            let collect: RunningCommand.OutputHandler = { chunk in log.withLock { $0.append(chunk) } }
            running = try RunningCommand.start(command, onStdout: collect, onStderr: collect)
        } catch {
            return .failed(reason: "\(error)", log: "")
        }
        let watch = Task { await self.watch(running, build.limits) }
        let exit = await withTaskCancellationHandler {
            await running.wait()
        } onCancel: {
            running.beforeReaping { ProcessTree.kill($0) }
        }
        watch.cancel()
        let stopped = await watch.value
        var output = log.withLock { $0 }
        // podman quotes the folder that the context was written to.
        output.hidden = build.context
        if Task.isCancelled { return .cancelled }
        switch stopped {
        case .time: return .timedOut(step: output.step, log: output.failing("not over after \(Int(build.limits.seconds)) s"))
        case .limit(let reason): return .failed(reason: reason, log: output.failing(reason))
        case nil: break
        }
        guard exit.isSuccess else {
            let reason = output.error ?? "podman build: \(exit)"
            return .failed(reason: reason, log: output.failing(reason))
        }
        guard let reference = try? await imageReference(build.name) else {
            let reason = "the image \(build.name) is not there after its build"
            return .failed(reason: reason, log: output.failing(reason))
        }
        return .built(reference: reference, log: output.end)
    }

    private enum Stop: Sendable {
        case time
        case limit(String)
    }

    /// Kills the build when it exceeds a limit, and returns which; nil when it ended by itself.
    private func watch(_ running: RunningCommand, _ limits: PodmanBuild.Limits) async -> Stop? {
        let began = time.monotonic()
        let freeAtStart = DiskSpace.free(directories.podmanRoot)
        while !Task.isCancelled {
            if let stop = exceeded(running.pid, limits, began, freeAtStart) {
                running.beforeReaping { ProcessTree.kill($0) }
                return stop
            }
            try? await time.sleep(seconds: 0.25)
        }
        return nil
    }

    private func exceeded(_ pid: Int32, _ limits: PodmanBuild.Limits, _ began: Double, _ freeAtStart: Int?) -> Stop? {
        if time.monotonic() - began > limits.seconds { return .time }
        if let free = DiskSpace.free(directories.podmanRoot) {
            if free < limits.freeBytes { return .limit("less than \(limits.freeBytes >> 20) MiB are free on the disk of \(directories.state)") }
            if let freeAtStart, freeAtStart - free > limits.diskBytes {
                return .limit("the build wrote more than \(limits.diskBytes >> 20) MiB to the disk")
            }
        }
        let processes = ProcessTree.members(of: pid).count
        return processes > limits.processes ? .limit("the build has \(processes) processes, more than \(limits.processes)") : nil
    }

    /// Half of the machine's memory: two builds may run at the same time.
    private static var memory: Int { max(512 << 20, sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) / 2) }

    /// Ends builds of an earlier process that was killed, and removes what they left in the storage.
    func endOrphanedBuilds(_ podman: PodmanCLI) async {
        let root = directories.podmanRoot
        let builds = ProcessTree.processes { words in
            words.first?.split(separator: "/").last == "podman" && words.contains("build")
                && zip(words, words.dropFirst()).contains { $0 == ("--root", root) }
        }
        for pid in builds { ProcessTree.kill(pid) }
        Directory.removeTree(directories.builds)
        await podman.removeBuildContainers()
    }

    /// A copy of the machine's registries.conf in which names without a registry mean Docker Hub, as they do for Docker, unless it says
    /// otherwise.
    private func registriesFile() throws -> String {
        let home = currentEnvironment()["HOME"].map { ["\($0)/.config/containers/registries.conf"] } ?? []
        let known = (home + ["/etc/containers/registries.conf"]).first { FileEntry.exists($0) }
        let text = known.flatMap { FileReading.text($0, limit: 1 << 20) } ?? ""
        let file = "\(directories.state)/podman/registries.conf"
        try FileWriting.replace(file, with: Array(BuildArguments.registries(text).utf8), mode: 0o644, durable: false)
        return file
    }
}

/// The arguments of `podman build`.
enum BuildArguments {
    static func words(_ build: PodmanBuild, _ abilities: PodmanAbilities, memory: Int) -> [String] {
        // Docker's format keeps HEALTHCHECK and SHELL. No proxy of the machine's environment is passed, as to no container.
        var words = ["build", "--format", "docker", "--http-proxy=false", "--force-rm", "--tag", build.name]
        if abilities.network == "none" { words += ["--network", "none"] }
        if abilities.memoryLimits {
            words += ["--memory", "\(memory)b"]
            if abilities.swapLimits { words += ["--memory-swap", "\(memory)b"] }
        }
        // Of the flags for containers, `build` has only this one.
        for (flag, value) in zip(abilities.containerFlags, abilities.containerFlags.dropFirst()) where flag == "--ulimit" { words += [flag, value] }
        for (name, value) in build.arguments.sorted(by: { $0.key < $1.key }) { words += ["--build-arg", "\(name)=\(value)"] }
        if let stage = build.stage { words += ["--target", stage] }
        return words + ["--file", "\(build.context)/\(build.dockerfile)", build.context]
    }

    /// - Parameter text: the content of a registries.conf.
    static func registries(_ text: String) -> String {
        let hasSearch = text.split(separator: "\n").contains { $0.drop(while: \.isWhitespace).hasPrefix("unqualified-search-registries") }
        return hasSearch ? text : "unqualified-search-registries = [\"docker.io\"]\n" + text
    }
}

enum DiskSpace {
    /// Bytes that this user may still write to the file system of a path; nil when that is not known.
    static func free(_ path: String) -> Int? {
        var info = statvfs()
        guard statvfs(path, &info) == 0 else { return nil }
        return Int(info.f_bavail) * Int(info.f_frsize)
    }
}
