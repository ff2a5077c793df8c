/// The log endpoint of a kubelet, for a real API server: `/containerLogs/NAMESPACE/POD/CONTAINER` over TLS. The log depends only
/// on the name of the container. The API server must not be configured with a certificate authority for kubelets.
public final class KubeletLogs: Sendable {
    private let server: ScriptedServer
    private let front: TLSFront

    /// - Parameters:
    ///   - logs: by container name; other containers have empty logs.
    ///   - directory: for its files; created when missing. The caller must remove it.
    public init(_ logs: [String: [UInt8]], directory: String) async throws {
        server = try ScriptedServer { request in
            let parts = request.target.prefix { $0 != "?" }.split(separator: "/")
            guard parts.count == 4, parts[0] == "containerLogs" else { return .text("no such path", status: 404) }
            return ScriptedResponse(headers: [("Content-Type", "text/plain")], pieces: [.bytes(logs[String(parts[3])] ?? [])])
        }
        front = try await TLSFront(before: server.port, directory: directory)
    }

    /// The port for ``SimulatedNode/register(kubeletPort:)``.
    public var port: Int { front.port }
}
