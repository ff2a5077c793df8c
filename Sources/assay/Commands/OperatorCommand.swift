import AssayAPI
import Base
import Egress
import CShims
import Git
import Glibc
import KubeClient
import KubeCore
import KubeRuntime
import Operations
import Reconcilers
import Subprocess
import TrialPods

/// `assay operator`: the operator alone, as a Deployment on a cluster or beside `assay apiserver`.
enum OperatorCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "operator", summary: "Run EvalJobs: watch the API server, create trial pods, record results.",
        details: """
            Without --kubeconfig (or KUBECONFIG) the pod's own service account is used. SIGTERM stops it: what runs is finished, the
            lease is given up, and the next one goes on.
            """,
        options: [
            .init(name: "kubeconfig", value: "FILE", help: "How to reach the API server."),
            .init(name: "context", value: "NAME", help: "A context of the kubeconfig."),
            .init(name: "namespace", value: "NAME", help: "Watch one namespace only (default: all)."),
            .init(name: "image", value: "IMAGE", help: "The image of repo-cache and collector (default: $ASSAY_IMAGE)."),
            .init(name: "state-dir", value: "DIR", help: "Mirrors, ledgers and what is not pushed yet (default: /var/lib/assay)."),
            .init(name: "cache-dir", value: "DIR", help: "Mirrors of sources (default: STATE-DIR/cache)."),
            .init(
                name: "cache-limit", value: "GIB",
                help:
                    "Size of all mirrors above which the least recently used are removed (default: \(defaultCacheLimit); with --setting laptop there is "
                    + "no limit)."),
            .init(
                name: "cache-service", value: "URL",
                help:
                    "Where trial pods reach the cache service of all replicas, as http://HOST:PORT (default: $ASSAY_CACHE_SERVICE; without it trial "
                    + "pods fetch from the origins, with the source's Secret)."),
            .init(
                name: "node-cache-service", value: "URL",
                help:
                    "Where a trial pod reaches the cache service's instance on its own node (`assay repo-cache serve`), as http://HOST:PORT (default: "
                    + "$ASSAY_NODE_CACHE_SERVICE; without it pods ask the replicas)."),
            .init(name: "cache-port", value: "PORT", help: "The cache service's own port (default: 8081)."),
        ] + ClusterNetworkOptions.options + [
            .init(name: "results-dir", value: "DIR", help: "A persistent directory for `backend: local`; without it such jobs stall."),
            imagePullTimeout,
            .init(name: "push-interval", value: "SECONDS", help: "Between two pushes to one branch (default: 10)."),
            .init(
                name: "git-token", value: "ADDRESS=FILE",
                help: "A file with a token to push results below an https address with, for jobs that name no Secret; read at each use.",
                repeats: true),
            .init(name: "committer", value: "IDENTITY", help: "Of result commits (default: assay <assay@localhost>)."),
            .init(name: "workers", value: "N", help: "Jobs reconciled at the same time (default: 4)."),
            .init(name: "leader-election", value: "on|off", help: "Wait for a Lease before working (default: on)."),
            .init(name: "lease-namespace", value: "NAME", help: "Where the Lease is (default: $POD_NAMESPACE, else default)."),
            .init(name: "health-port", value: "PORT", help: "/healthz, /readyz and /metrics; 0 switches them off (default: 8080)."),
            .init(
                name: "setting", value: "cluster|laptop",
                help: "laptop: local repositories are allowed and the synced local store counts (default: cluster)."),
        ] + LogOptions.options)

    static func run(_ arguments: Arguments) async throws -> Int32 {
        assay_return_memory(10)
        try LogOptions.apply(arguments)
        signal(SIGPIPE, SIG_IGN)
        let environment = currentEnvironment()
        let configuration = try configuration(arguments, environment)
        let metrics = MetricsRegistry()
        let liveness = Liveness()
        let client = try client(arguments, RequestMetrics(metrics, onSuccess: { liveness.serverAnswered() }))
        let instance = "\(environment["POD_NAME"] ?? hostName())-\(getpid())"

        let traces = TraceOptions.exporter(environment, metrics: metrics)
        let replica = Locked<OperatorReplica?>(nil)
        let port = try arguments.integer("health-port", in: 0...65535) ?? 8080
        let health = HealthServer(
            stalls: { liveness.stalled.map(\.description) },
            unready: { replica.withLock { $0 }?.unready ?? ["the cache service has not started"] }, metrics: { metrics.prometheusText() })
        if port > 0 { _ = try health.start(port: UInt16(port), everyAddress: configuration.setting == .cluster) }

        let elects =
            try arguments.value("leader-election").map { text throws(UsageError) in
                guard text == "on" || text == "off" else { throw UsageError("--leader-election takes on or off, not \"\(text)\"") }
                return text == "on"
            } ?? true
        let leaseNamespace = arguments.value("lease-namespace") ?? environment["POD_NAMESPACE"] ?? "default"
        let cache = try CacheHost(
            arguments, environment, configuration, client: client, namespace: leaseNamespace, lease: Self.lease, metrics: metrics)
        let clusterNetwork = try ClusterNetworkOptions.settings(
            arguments, environment, cacheService: cache.serviceURL, nodeCacheService: cache.nodeServiceURL, namespace: leaseNamespace)
        let egress = try configuration.setting == .laptop ? EgressService(cacheDirectory: configuration.cacheDirectory) : nil
        let work = Task {
            var configuration = configuration
            configuration.cache = await cache.start()
            configuration.clusterNetwork = clusterNetwork
            configuration.traces = traces
            configuration.networks = egress?.networks
            if clusterNetwork?.egress != nil {
                configuration.networks = await EgressService.networks(onCluster: client, namespace: leaseNamespace)
            }
            if Task.isCancelled { return }
            let ready = configuration
            let running = OperatorReplica(client: client, configuration: ready, instance: instance, metrics: metrics, liveness: liveness)
            replica.withLock { $0 = running }
            let election = LeaderElection(
                client: client, namespace: leaseNamespace, name: Self.lease, identity: instance, annotations: cache.annotations,
                liveness: liveness)
            await running.run(elects ? election : nil) { work in
                cache.lead(ready.cache)
                // Operators on one machine share the socket, so only the leader serves on it.
                let proxy = Self.serve(egress)
                defer { proxy?.stop(drainSeconds: 0) }
                await work()
            }
        }
        let interrupts = Interrupts { count in
            if count > 1 { _exit(ExitStatus.interrupted) }
            work.cancel()
        }
        await work.value
        await traces?.stop(within: TraceOptions.flushSeconds)
        withExtendedLifetime((interrupts, health)) {}
        return ExitStatus.success
    }

    private static func serve(_ egress: EgressService?) -> EgressProxy? {
        do { return try egress?.start() } catch {
            Log("egress").error("the egress proxy cannot start", ["error": .string("\(error)")])
            return nil
        }
    }

    private static let lease = "assay-operator"

    private static func hostName() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func client(_ arguments: Arguments, _ metrics: RequestMetrics) throws -> KubeClient {
        var config: KubeConfig
        if let file = arguments.value("kubeconfig") {
            config = try KubeConfig.load(kubeconfigPath: file, context: arguments.value("context"))
        } else {
            config = try KubeConfig.automatic(context: arguments.value("context"))
        }
        config.userAgent = "assay/\(Assay.version)"
        return KubeClient(config: config, metrics: metrics)
    }

    private static func configuration(_ arguments: Arguments, _ environment: [String: String]) throws -> OperatorConfiguration {
        let setting: OperatorConfiguration.Setting =
            switch arguments.value("setting") {
            case nil, "cluster": .cluster
            case "laptop": .laptop
            case let other?: throw UsageError("--setting takes cluster or laptop, not \"\(other)\"")
            }
        guard let image = arguments.value("image") ?? environment["ASSAY_IMAGE"] ?? (setting == .laptop ? Laptop.image : nil) else {
            throw UsageError("--image (or ASSAY_IMAGE) is missing: the image of this program, for the containers of trial pods")
        }
        let state = Path.absolute(arguments.value("state-dir") ?? "/var/lib/assay")
        let cache = Path.absolute(arguments.value("cache-dir") ?? "\(state)/cache")
        var configuration = OperatorConfiguration(
            setting: setting, namespace: arguments.value("namespace"), stateDirectory: state, cacheDirectory: cache,
            resultsDirectory: arguments.value("results-dir").map { Path.absolute($0) },
            // The same pull policy as for the operator's own image: an image that was loaded onto the nodes by hand is not pulled
            // from a registry.
            pods: TrialPodSettings(assayImage: image, imagePullPolicy: "IfNotPresent"),
            defaultTarget: setting == .laptop ? Laptop.target : EvalTargetSpec(type: .cluster),
            pushInterval: try arguments.number("push-interval", in: 0...3600) ?? 10, committer: try committer(arguments.value("committer")),
            workers: try arguments.integer("workers", in: 1...64) ?? 4, urlPolicy: setting == .laptop ? [.local, .shorthand] : .shorthand,
            bounds: try bounds(arguments))
        configuration.deletionQuietSeconds = 3
        if setting == .cluster {
            configuration.cacheLimit = Int((try arguments.number("cache-limit", in: 0.1...100_000) ?? Double(defaultCacheLimit)) * 1_073_741_824)
        }
        do { configuration.tokenFiles = try arguments.all("git-token").map { try PushTokenFile(parsing: $0) } } catch {
            throw UsageError("--git-token: \(error)")
        }
        return configuration
    }

    /// In GiB; the volume in manifests/operator/deployment.yaml has 8 GiB.
    private static let defaultCacheLimit = 6

    /// The option is shared by `run` and `operator`.
    static let imagePullTimeout = CommandSyntax.Option(
        name: "image-pull-timeout", value: "SECONDS",
        help: "How long an image that cannot be pulled is waited for, each time (default: \(Int(PodFateBounds().imagePull))).")

    static func bounds(_ arguments: Arguments) throws -> PodFateBounds {
        var bounds = PodFateBounds()
        if let seconds = try arguments.number(imagePullTimeout.name, in: 1...86400) { bounds.imagePull = seconds }
        return bounds
    }

    /// Parses `Name <address>`.
    static func committer(_ text: String?) throws -> FastImportStream.Identity {
        let text = text ?? "assay <assay@localhost>"
        guard let open = text.firstIndex(of: "<"), text.hasSuffix(">") else {
            throw UsageError("--committer takes \"Name <address>\", not \"\(text)\"")
        }
        let name = text[..<open].trimmed
        return try FastImportStream.Identity(name: name, email: String(text[text.index(after: open)...].dropLast()))
    }
}

/// Settings shared by all runs on one machine.
enum Laptop {
    /// An image name for the podman node: containers use the host's programs under temporary overlays, and this executable.
    static let image = "rootfs:/"
    static let target = EvalTargetSpec(type: .local, image: TargetImageSpec(default: image))
}
