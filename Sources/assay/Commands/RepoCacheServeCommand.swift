import Base
import Git
import Glibc
import Operations
import SourceSync

/// `assay repo-cache serve`: an instance of the cache service on a node, as a DaemonSet on a cluster.
enum RepoCacheServeCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "repo-cache serve", summary: "Serve tasks and overlays to the trial pods of one node, from the operator's cache service.",
        details: """
            What is missing is got from --upstream, once for all that ask for it, and kept below --size-limit: the least recently used goes first.

            SIGTERM stops it. Trial pods then ask the operator's cache service.
            """,
        options: [
            .init(name: "upstream", value: "URL", help: "The operator's cache service, as http://HOST:PORT."),
            .init(name: "key-file", value: "FILE", help: "The key that signs tokens, which the operator makes (the Secret assay-cache-key)."),
            .init(name: "directory", value: "DIR", help: "Where trees are kept; made when it is missing (default: /var/cache/assay)."),
            .init(name: "size-limit", value: "GIB", help: "Size of all trees above which the least recently used are removed (default: 4)."),
            .init(name: "port", value: "PORT", help: "Where it serves (default: 8081)."),
            .init(name: "health-port", value: "PORT", help: "/healthz, /readyz and /metrics; 0 switches them off (default: 8080)."),
        ] + LogOptions.options)

    static func run(_ arguments: Arguments) async throws -> Int32 {
        try LogOptions.apply(arguments)
        signal(SIGPIPE, SIG_IGN)
        guard let upstream = arguments.value("upstream").flatMap({ CacheAddress($0) }) else {
            throw UsageError("--upstream takes the address of the operator's cache service, as http://HOST:PORT")
        }
        let key = try key(arguments.value("key-file"))
        let limit = Int((try arguments.number("size-limit", in: 0.01...100_000) ?? 4) * 1_073_741_824)
        let metrics = MetricsRegistry()
        let store = TreeStore(
            directory: Path.absolute(arguments.value("directory") ?? "/var/cache/assay"), sizeLimit: limit, metrics: CacheMetrics(metrics, .trees))
        // Nobody else writes there.
        store.clean()
        let cache = TreeCache(store: store, key: key)
        cache.use(UpstreamTrees("the operator's cache service", key: key) { upstream })
        let server = cache.server()
        let port = try server.start(port: UInt16(try arguments.integer("port", in: 1...65535) ?? 8081), everyAddress: true)
        let isServing = Locked(true)
        let health = HealthServer(unready: { isServing.withLock { $0 } ? [] : ["the server is stopping"] }, metrics: { metrics.prometheusText() })
        let healthPort = try arguments.integer("health-port", in: 0...65535) ?? 8080
        if healthPort > 0 { _ = try health.start(port: UInt16(healthPort), everyAddress: true) }
        let warming = Task { await TreeWarming(cache, upstream: upstream, key: key).run() }
        defer { warming.cancel() }
        let log = Log("cache")
        log.info("serving", ["port": JSONValue(Int(port)), "upstream": .string("\(upstream)")])

        let (stops, stop) = AsyncStream<Void>.makeStream()
        let interrupts = Interrupts { count in
            if count > 1 { _exit(ExitStatus.interrupted) }
            stop.finish()
        }
        for await _ in stops {}
        isServing.withLock { $0 = false }
        server.stop()
        log.info("stopped")
        withExtendedLifetime((interrupts, health)) {}
        return ExitStatus.success
    }

    private static func key(_ file: String?) throws(UsageError) -> [UInt8] {
        guard let file else { throw UsageError("--key-file is missing: a file with the key that signs tokens") }
        guard let bytes = FileReading.whole(file) else { throw UsageError("--key-file: \(file) cannot be read") }
        guard bytes.count >= 32 else { throw UsageError("--key-file: \(file) has \(bytes.count) bytes, and a key has 32 or more") }
        return bytes
    }
}
