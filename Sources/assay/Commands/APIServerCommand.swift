import Base
import Reconcilers

/// `assay apiserver`: the embedded control plane alone.
enum APIServerCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "apiserver", summary: "Serve the embedded API server, for one machine, with or without the podman node.",
        details: """
            It listens on loopback and asks for a token; DIR/kubeconfig holds both, for kubectl and for `assay operator`.
            What it holds survives a kill at any moment; with --node podman, so do the containers: the next start takes them over.
            """,
        options: [
            .init(name: "data-dir", value: "DIR", help: "Where everything is kept (default: .assay/apiserver)."),
            .init(name: "port", value: "PORT", help: "On 127.0.0.1; 0 takes a free one (default: 0)."),
            .init(name: "node", value: "KIND", help: "`podman` runs the pods on this machine; `none` leaves them waiting (default: none)."),
            .init(name: "podman", value: "PATH", help: "The podman program (default: podman)."),
            .init(
                name: "cache-dir", value: "DIR",
                help: "The operator's --cache-dir: trial pods get the sockets of its cache service and egress proxy (default: DATA-DIR/cache)."),
        ] + LogOptions.options)

    static func run(_ arguments: Arguments) async throws -> Int32 {
        try LogOptions.apply(arguments)
        let directory = Path.absolute(arguments.value("data-dir") ?? ".assay/apiserver")
        let kind = arguments.value("node") ?? "none"
        guard kind == "podman" || kind == "none" else { throw UsageError("--node takes podman or none, not \"\(kind)\"") }
        let port = try arguments.integer("port", in: 0...65535) ?? 0
        let cache = Path.absolute(arguments.value("cache-dir") ?? "\(directory)/cache")
        let socket = SourceCache.socketDirectory(in: cache)
        try Directory.make(socket, mode: 0o700)
        let egress = EgressService.directory(in: cache)
        try Directory.make(egress, mode: 0o700)

        let (stops, stop) = AsyncStream<Void>.makeStream()
        let interrupts = Interrupts { _ in stop.finish() }
        let host = try await ControlPlaneHost.start(
            .init(
                port: UInt16(port), dataDirectory: directory, nodeDirectory: kind == "podman" ? "\(directory)/node" : nil, cacheDirectory: socket,
                egressDirectory: egress, podman: arguments.value("podman") ?? "podman"))
        // Written immediately, because the program that started this process waits for these lines.
        Output.write("serving \(host.server)\nkubeconfig \(directory)/kubeconfig\n")
        for await _ in stops {}
        await host.stop(removeContainers: false)
        withExtendedLifetime(interrupts) {}
        return ExitStatus.success
    }
}
