import Base
import Egress
import Glibc

/// The relay in the sandbox of a pod that has no interface but loopback: the podman node starts it.
enum RelaySubcommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "relay", summary: "Carry connections of a pod's loopback to the egress proxy (a pod's sandbox runs this).",
        options: [
            .init(name: "port", value: "PORT", help: "On 127.0.0.1."), .init(name: "socket", value: "PATH", help: "The socket of the egress proxy."),
        ])
    static let hidden = true

    static func run(_ arguments: Arguments) async throws -> Int32 {
        guard let port = try arguments.integer("port", in: 1...65535), let socket = arguments.value("socket") else {
            throw UsageError("--port and --socket are needed")
        }
        _ = try SocketRelay(to: socket).start(port: UInt16(port))
        let (stops, stop) = AsyncStream<Void>.makeStream()
        let interrupts = Interrupts { _ in stop.finish() }
        for await _ in stops {}
        withExtendedLifetime(interrupts) {}
        return ExitStatus.success
    }
}
