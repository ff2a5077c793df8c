import Base
import CShims
import Egress
import Glibc
import Operations

/// `assay egress`: the egress proxy, as a Deployment on a cluster or by itself.
enum EgressCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "egress", summary: "Run the egress proxy: HTTP and CONNECT to the hosts that a signed token allows.",
        details: """
            Clients send a token as the password of the proxy's URL. Names are resolved here, and addresses that are not public are refused
            unless the token lists them.

            SIGTERM stops it: nothing new is accepted, and what runs has the time that --drain gives.
            """,
        options: [
            .init(
                name: "listen", value: "ADDRESS",
                help: "Where to accept connections: 0.0.0.0:3128, [::]:3128 or unix:/PATH (default: 0.0.0.0:3128).",
                repeats: true),
            .init(
                name: "key-file", value: "FILE",
                help: "A key of 32 bytes or more that signs tokens; a second one during a rotation. Read again when it changes.",
                repeats: true),
            .init(
                name: "cluster-cidrs", value: "CIDRS",
                help: "Networks of the cluster (pods, services, nodes, API server), with commas: refused unless a token lists a part of them.",
                repeats: true),
            .init(
                name: "denied-cidrs", value: "CIDRS",
                help: "Networks that are refused to every token, with commas; 127.0.0.0/8,::1/128 keeps the proxy's own pod out of reach.",
                repeats: true),
            .init(name: "connections", value: "N", help: "Client connections at the same time (default: \(EgressLimits().connections))."),
            .init(
                name: "connections-per-token", value: "N",
                help: "Client connections of one phase of a trial (default: \(EgressLimits().connectionsPerToken))."),
            .init(name: "drain", value: "SECONDS", help: "How long connections may go on after SIGTERM (default: 25)."),
            .init(name: "health-port", value: "PORT", help: "/healthz, /readyz and /metrics; 0 switches them off (default: 8080)."),
        ] + LogOptions.options)

    static func run(_ arguments: Arguments) async throws -> Int32 {
        try LogOptions.apply(arguments)
        let log = Log("egress")
        let files = arguments.all("key-file")
        guard !files.isEmpty else { throw UsageError("--key-file is missing: a file with the key that signs tokens") }
        let keys: SigningKeyFiles
        do throws(SigningKeyFileError) { keys = try SigningKeyFiles(files, log: log) } catch { throw UsageError("--key-file: \(error)") }
        let drain = try arguments.number("drain", in: 0...86_400) ?? 25
        let healthPort = try arguments.integer("health-port", in: 0...65535) ?? 8080
        let metrics = MetricsRegistry()
        EgressProxy.raiseDescriptorLimit()
        let proxy = EgressProxy(
            .init(
                listeners: try listeners(arguments.all("listen")),
                policy: EgressPolicy(
                    clusterNetworks: try ClusterNetworkOptions.networks("cluster-cidrs", arguments.all("cluster-cidrs")),
                    deniedNetworks: try ClusterNetworkOptions.networks("denied-cidrs", arguments.all("denied-cidrs"))),
                limits: try limits(arguments), keys: { keys.keys() }, metrics: metrics, log: log))

        if let wanted = try arguments.integer("connections", in: 1...200_000), proxy.limits.connections < wanted {
            log.warning("there are too few descriptors for --connections", ["connections": .int(Int64(proxy.limits.connections))])
        }
        // Tunnels come and go by the hundred; what they used is given back.
        assay_return_memory(60)
        let (stops, stop) = AsyncStream<Void>.makeStream()
        let interrupts = Interrupts { count in
            if count == 1 {
                stop.finish()
            } else {
                log.warning("stopped at once")
                Glibc.exit(ExitStatus.interrupted)
            }
        }
        let isServing = Locked(false)
        let health = HealthServer(unready: { isServing.withLock { $0 } ? [] : ["the proxy is stopping"] }, metrics: { metrics.prometheusText() })
        for listener in try proxy.start() { log.info("listening", ["address": .string("\(listener)")]) }
        if healthPort > 0 { _ = try health.start(port: UInt16(healthPort), everyAddress: true) }
        isServing.withLock { $0 = true }
        for await _ in stops {}
        isServing.withLock { $0 = false }
        log.info("stopping", ["connections": .int(Int64(proxy.connections)), "drainSeconds": .double(drain)])
        proxy.stop(drainSeconds: drain)
        log.info("stopped")
        withExtendedLifetime((interrupts, health)) {}
        return ExitStatus.success
    }

    private static func listeners(_ texts: [String]) throws(UsageError) -> [EgressListener] {
        var listeners: [EgressListener] = []
        for text in texts.isEmpty ? ["0.0.0.0:3128"] : texts {
            do throws(HostSyntaxError) { listeners.append(try EgressListener(parsing: text)) } catch {
                throw UsageError("--listen \"\(text)\" \(error)")
            }
        }
        return listeners
    }

    private static func limits(_ arguments: Arguments) throws(UsageError) -> EgressLimits {
        var limits = EgressLimits()
        limits.connections = try arguments.integer("connections", in: 1...200_000) ?? limits.connections
        limits.connectionsPerToken = try arguments.integer("connections-per-token", in: 1...200_000) ?? limits.connectionsPerToken
        return limits
    }
}
