/// The part of a kubelet that a real API server asks for logs: `/containerLogs/NAMESPACE/POD/CONTAINER` over TLS. What a container
/// has said depends on its name alone. The API server must not have been given an authority for kubelets.
public final class KubeletLogs: Sendable {
    private let server: ScriptedServer
    private let front: TLSFront

    /// - Parameters:
    ///   - logs: by container name; others have said nothing.
    ///   - directory: for its files; made when missing, and the caller's to remove.
    public init(_ logs: [String: [UInt8]], directory: String) async throws {
        server = try ScriptedServer { request in
            let parts = request.target.prefix { $0 != "?" }.split(separator: "/")
            guard parts.count == 4, parts[0] == "containerLogs" else { return .text("no such path", status: 404) }
            return ScriptedResponse(headers: [("Content-Type", "text/plain")], pieces: [.bytes(logs[String(parts[3])] ?? [])])
        }
        front = try await TLSFront(before: server.port, directory: directory)
    }

    /// For ``SimulatedNode/register(kubeletPort:)``.
    public var port: Int { front.port }
}
