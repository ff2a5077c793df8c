import Base
import Glibc
import KubeClient
import KubeCore
import KubeRuntime

/// Runs pods as podman containers on this machine, and reports them to an API server as a kubelet does. It is also the scheduler: it binds pods
/// that have no node if they fit.
///
/// - Guarantees: a container is never started twice, even if this process is killed: a node that is started again with the same directory
///   continues with the containers that still run and records the ends of the others. No container outlives its pod. The containers of a pod
///   share one network, which is never the host's; they see nothing of the host except what the pod and the image name.
/// - Assumptions: podman 4.3 or newer; one node for each directory (a second one is refused).
/// - Caveats: of probes only startup probes, which reach a container by the pod's loopback; no lifecycle hooks, no host ports. Where podman cannot set up a network, pods have loopback only, and the node's
///   conditions say so.
public final class PodmanNode: Sendable {
    /// The settings of a node.
    public struct Configuration: Sendable {
        /// The name of the node object.
        public var nodeName: String
        /// A directory on disk, for this node only: podman's storage, volumes and logs.
        public var stateDirectory: String
        /// The path of the operator's own program, mounted read-only as `/usr/local/bin/assay` in containers of the image `rootfs:/`.
        public var executable: String?
        /// The podman program: a name or a path.
        public var podman: String
        /// The directory that the hostPath volume `repo-cache` mounts; nil means that such a volume is refused.
        public var cacheDirectory: String?
        /// The directory with the socket of the egress proxy, for pods that have no interface but loopback; nil means that they do not start.
        public var egressDirectory: String?
        /// podman's `--network`; nil means the first that works of `bridge`, `slirp4netns`, `pasta`, else `none`. The host's network is refused.
        public var network: String?
        /// Labels of the node object in addition to the usual ones.
        public var labels: [String: String]
        /// Amounts that replace those of the machine, for example `cpu: "4"`.
        public var allocatable: [String: String]
        /// Whether images in the user's own podman storage can be used too (read-only).
        public var usesImagesOfUser: Bool

        public init(
            nodeName: String = "local", stateDirectory: String, executable: String? = nil, podman: String = "podman",
            cacheDirectory: String? = nil, egressDirectory: String? = nil, network: String? = nil, labels: [String: String] = [:],
            allocatable: [String: String] = [:],
            usesImagesOfUser: Bool = true
        ) {
            self.nodeName = nodeName
            self.stateDirectory = stateDirectory
            self.executable = executable
            self.podman = podman
            self.cacheDirectory = cacheDirectory
            self.egressDirectory = egressDirectory
            self.network = network
            self.labels = labels
            self.allocatable = allocatable
            self.usesImagesOfUser = usesImagesOfUser
        }
    }

    public let configuration: Configuration
    private let client: KubeClient
    let time: any TimeSource
    private let log: Log
    private let state = Locked(State())
    let builds = ActiveBuilds()

    private struct State {
        var started: Started?
        var dispatcher: PodDispatcher?
    }

    /// The results of `start`.
    struct Started: Sendable {
        var lock: Int32
        var podman: PodmanCLI
        var rebooted: Bool
        var bootIdentifier: String
    }

    public init(client: KubeClient, configuration: Configuration, time: any TimeSource = SystemTime(), log: Log = Log("node")) {
        self.client = client
        self.configuration = configuration
        self.time = time
        self.log = log
    }

    var directories: NodeDirectories { NodeDirectories(state: configuration.stateDirectory) }

    /// Finds out whether and how podman works on this machine, and locks the directory. Pods run only after `run` is called.
    /// - Throws: `PodmanNodeError`, which says what to install or to change.
    public func start() async throws {
        let lock = try prepareDirectories()
        do {
            let boot = (FileReading.text("/proc/sys/kernel/random/boot_id", limit: 64) ?? "").filter { !$0.isWhitespace }
            let earlier = FileReading.text(directories.bootIdentifier, limit: 64)
            let rebooted = earlier != nil && earlier != boot
            if rebooted {
                // podman trusts the files of its run root, and after a reboot they are out of date.
                Directory.removeTree(directories.podmanRunRoot)
                Directory.removeTree(directories.podmanTemporary)
            }
            try FileWriting.replace(directories.bootIdentifier, with: Array(boot.utf8), mode: 0o644, durable: false)
            let stores = await userImageStores()
            let probe = PodmanProbe(
                podman: configuration.podman, directories: directories, rootfs: RootfsImage(directory: directories.rootfs),
                imageStores: stores, network: configuration.network, log: log)
            let abilities = try await probe.abilities()
            let podman = PodmanCLI(path: configuration.podman, directories: directories, abilities: abilities, imageStores: stores)
            log.info(
                "podman works here",
                [
                    "podman": .string(abilities.version), "flags": .string((abilities.globalFlags + abilities.containerFlags).joined(separator: " ")),
                    "network": .string(abilities.network), "memoryLimits": .bool(abilities.memoryLimits), "cpuLimits": .bool(abilities.cpuLimits),
                ])
            await endOrphanedBuilds(podman)
            state.withLock { $0.started = Started(lock: lock, podman: podman, rebooted: rebooted, bootIdentifier: boot) }
        } catch {
            close(lock)
            throw error
        }
    }

    /// Follows the API server and runs its pods until the task is cancelled. The containers then keep running, until `stop` removes them or the
    /// next node with this directory takes them over. Call it once, after `start`.
    public func run() async throws {
        guard let started = state.withLock({ $0.started }) else { throw PodmanNodeError.cannotRunContainers(reason: "the node was not started") }
        let (overflow, overflowIntake) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let exits = ExitWatch(directory: directories.exits, time: time) { overflowIntake.yield() }
        try exits.start()
        defer { exits.stop() }
        let containers = try await started.podman.list()
        OrphanedMonitors.kill(podmanRoot: directories.podmanRoot, known: Set(containers.map(\.id)))
        let node = nodeObject(started)
        let events = EventRecorder(client: client, component: "kubelet", instance: node.name)
        let services = services(started, exits: exits, events: events, node: node)
        let dispatcher = PodDispatcher(
            services: services,
            node: SchedulingRules.Node(name: node.name, labels: node.allLabels, allocatable: node.allocatable),
            journals: JournalFile(directories: directories).load(), containers: containers, rebooted: started.rebooted)
        state.withLock { $0.dispatcher = dispatcher }
        let reflector = Reflector(client: client, type: .pods, namespace: nil) { try NodePod($0) }

        await withTaskGroup(of: Void.self) { group in
            group.addTask { await events.run() }
            group.addTask { await reflector.run() }
            group.addTask { await self.heartbeat(node, services.api) }
            group.addTask { for await _ in overflow { await dispatcher.resync() } }
            group.addTask { await self.follow(reflector.store, dispatcher) }
            await group.waitForAll()
        }
        await dispatcher.stop()
    }

    /// Ends the work of `run` after its task was cancelled, and unlocks the directory.
    /// - Parameter removeContainers: also removes every container of this node, running or not, and the files of its pods.
    public func stop(removeContainers: Bool) async {
        let dispatcher = state.withLock { state in
            defer { state.dispatcher = nil }
            return state.dispatcher
        }
        await dispatcher?.stop()
        if removeContainers { await removeAll() }
        if let started = state.withLock({ state in
            defer { state.started = nil }
            return state.started
        }) {
            // The lock is released explicitly, because a child process that is being started may hold a copy of the descriptor for a moment.
            _ = flock(started.lock, LOCK_UN)
            close(started.lock)
        }
    }

    /// Removes every container of this node and the files of its pods.
    public func removeAll() async {
        guard let podman = state.withLock({ $0.started })?.podman else { return }
        for _ in 0..<3 {
            guard let listed = try? await podman.list(), !listed.isEmpty else { break }
            do { try await podman.remove(listed.map(\.id)) } catch { log.warning("containers could not be removed", ["error": .string("\(error)")]) }
        }
        OrphanedMonitors.kill(podmanRoot: directories.podmanRoot, known: [])
        let volumes = VolumeStore(directories: directories, cacheDirectory: nil)
        for uid in (Directory.names(in: directories.pods) ?? []) {
            volumes.remove(uid)
            Directory.removeTree(directories.pod(uid))
        }
        if let memory = volumes.memory { Directory.removeTree(memory) }
    }

    // MARK: Parts of a start

    private func prepareDirectories() throws -> Int32 {
        let path = configuration.stateDirectory
        guard path.hasPrefix("/"), !path.contains(":"), !path.contains(",") else {
            throw PodmanNodeError.stateDirectory(path: path, reason: "the path must be absolute, without colon and comma")
        }
        if configuration.network == "host" || configuration.network?.hasPrefix("container:") == true
            || configuration.network?.hasPrefix("ns:") == true
        {
            throw PodmanNodeError.cannotRunContainers(reason: "the network \"\(configuration.network ?? "")\" would let trials reach the API server")
        }
        do {
            try Directory.make(path, mode: 0o700)
            for directory in [directories.podmanRoot, directories.podmanRunRoot, directories.podmanTemporary, directories.pods, directories.rootfs] {
                try Directory.make(directory, mode: 0o755)
            }
            // Every user may write to /var/tmp. Containers must not run from a directory that another user has made there under this name.
            var info = stat()
            guard lstat(directories.podmanRunRoot, &info) == 0, info.st_mode & S_IFMT == S_IFDIR, info.st_uid == geteuid(),
                chmod(directories.podmanRunRoot, 0o700) == 0
            else {
                throw PodmanNodeError.stateDirectory(path: directories.podmanRunRoot, reason: "it belongs to another user")
            }
        } catch let error as PodmanNodeError {
            throw error
        } catch {
            throw PodmanNodeError.stateDirectory(path: path, reason: "\(error)")
        }
        let fd = open(path + "/node.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw PodmanNodeError.stateDirectory(path: path, reason: String(cString: strerror(errno))) }
        guard flock(fd, LOCK_EX | LOCK_NB) == 0 else {
            close(fd)
            throw PodmanNodeError.alreadyRunning(path: path)
        }
        return fd
    }

    /// The user's own image storage, if it can be read in addition to the node's.
    private func userImageStores() async -> [String] {
        guard configuration.usesImagesOfUser else { return [] }
        return await UserImages.stores(podman: configuration.podman)
    }

    private func nodeObject(_ started: Started) -> NodeObject {
        NodeObject(
            name: configuration.nodeName, hostIP: "127.0.0.1", labels: configuration.labels,
            capacity: NodeObject.capacity(stateDirectory: configuration.stateDirectory).merging(configuration.allocatable) { $1 },
            abilities: started.podman.abilities, bootIdentifier: started.bootIdentifier)
    }

    private func services(_ started: Started, exits: ExitWatch, events: EventRecorder, node: NodeObject) -> NodeServices {
        NodeServices(
            name: node.name, hostIP: node.hostIP, podman: started.podman, directories: directories,
            volumes: VolumeStore(directories: directories, cacheDirectory: configuration.cacheDirectory), measuring: StorageMeasuring(),
            logs: LogStore(directories: directories),
            rootfs: RootfsImage(directory: directories.rootfs), exits: exits, api: NodeAPI(client: client), events: events, time: time,
            executable: configuration.executable, egressDirectory: configuration.egressDirectory,
            fields: PodFields(
                nodeName: node.name, hostIP: node.hostIP, allocatableCPU: node.allocatable["cpu"]?.whole ?? 1,
                allocatableMemory: node.allocatable["memory"]?.whole ?? 0),
            log: log)
    }

    // MARK: Loops

    private func heartbeat(_ node: NodeObject, _ api: NodeAPI) async {
        let since = time.now()
        var registered = false
        while !Task.isCancelled {
            var wait = 60.0
            do {
                if !registered { try await api.register(node.object) }
                registered = true
                try await api.writeNodeStatus(node.name, node.status(readySince: since, now: time.now()))
            } catch {
                if NodeAPI.isGone(error) { registered = false }
                wait = 1
            }
            do { try await time.sleep(seconds: wait) } catch { return }
        }
    }

    /// Passes changes to the dispatcher in order, and lets it schedule whenever no change is waiting.
    private func follow(_ store: Store<NodePod>, _ dispatcher: PodDispatcher) async {
        let (changes, intake) = AsyncStream<StoreChange<NodePod>?>.makeStream()
        let subscription = store.subscribe { intake.yield($0) }
        defer {
            subscription.cancel()
            intake.finish()
        }
        // A nil means: schedule without a change. It is sent after the first complete list, and repeatedly while pods wait for resources.
        let ticker = Task {
            do { try await store.waitUntilSynced() } catch { return }
            intake.yield(nil)
            while !Task.isCancelled {
                do { try await self.time.sleep(seconds: 1) } catch { return }
                if await dispatcher.hasPending { intake.yield(nil) }
            }
        }
        defer { ticker.cancel() }
        var synced = false
        for await change in changes {
            if Task.isCancelled { return }
            switch change {
            case .added(let entry), .updated(_, let entry): await dispatcher.present(entry.object)
            case .deleted(let entry): await dispatcher.gone(entry.uid)
            case nil:
                if !synced {
                    synced = true
                    await dispatcher.removeLeftovers()
                }
            }
            if synced { await dispatcher.schedule() }
        }
    }

    var startedNode: Started? { state.withLock { $0.started } }
    func dispatcher() -> PodDispatcher? { state.withLock { $0.dispatcher } }
    func clock() -> any TimeSource { time }
}
