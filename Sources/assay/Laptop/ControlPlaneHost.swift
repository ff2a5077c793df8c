import APIServer
import AssayAPI
import Base
import Glibc
import KubeClient
import KubeCore
import PodmanNode
import YAML

/// The embedded API server and, optionally, the podman node, in this process.
final class ControlPlaneHost: Sendable {
    struct Settings: Sendable {
        var port: UInt16 = 0
        var dataDirectory: String
        /// Nil: there is no node, so pods stay pending.
        var nodeDirectory: String?
        var cacheDirectory: String?
        /// The directory with the socket of the egress proxy.
        var egressDirectory: String?
        var podman = "podman"
    }

    let client: KubeClient
    let server: String
    let token: String
    private let api: APIServer
    let node: PodmanNode?
    private let running: Task<Void, any Error>?

    private init(client: KubeClient, server: String, token: String, api: APIServer, node: PodmanNode?, running: Task<Void, any Error>?) {
        self.client = client
        self.server = server
        self.token = token
        self.api = api
        self.node = node
        self.running = running
    }

    /// Starts the API server and the node. The custom resources are installed when this returns.
    static func start(_ settings: Settings) async throws -> ControlPlaneHost {
        let token = try tokenFile(in: settings.dataDirectory)
        var configuration = APIServer.Configuration(port: settings.port, token: token, dataDirectory: settings.dataDirectory)
        configuration.lastPort = lastPort(of: "\(settings.dataDirectory)/kubeconfig")
        let api = APIServer(configuration: configuration)
        let (client, server) = try await serve(api, token: token)
        do {
            try writeKubeconfig(server: server, token: token, to: "\(settings.dataDirectory)/kubeconfig")
            guard let directory = settings.nodeDirectory else {
                return ControlPlaneHost(client: client, server: server, token: token, api: api, node: nil, running: nil)
            }
            let node = PodmanNode(
                client: client,
                configuration: .init(
                    stateDirectory: directory, executable: try ownExecutable(), podman: settings.podman, cacheDirectory: settings.cacheDirectory,
                    egressDirectory: settings.egressDirectory,
                    // The CPU is nominally unlimited: a job's parallelism sets how many trials run at once, and sharing a CPU
                    // only makes them slower. Memory is counted.
                    allocatable: ["cpu": "1k"]))
            try await node.start()
            api.podLogs = node
            return ControlPlaneHost(client: client, server: server, token: token, api: api, node: node, running: Task { try await node.run() })
        } catch {
            await api.stop()
            throw error
        }
    }

    /// An API server that keeps nothing on the disk, without a node: for a command that asks what the server makes of its documents.
    static func inMemory() async throws -> ControlPlaneHost {
        let token = newToken()
        let api = APIServer(configuration: .init(token: token))
        let (client, server) = try await serve(api, token: token)
        return ControlPlaneHost(client: client, server: server, token: token, api: api, node: nil, running: nil)
    }

    /// Starts the API server and installs the custom resources.
    private static func serve(_ api: APIServer, token: String) async throws -> (client: KubeClient, server: String) {
        let server = "http://127.0.0.1:\(try await api.start())"
        var config = KubeConfig.direct(server: server, token: token)
        config.userAgent = "assay/\(Assay.version)"
        let client = KubeClient(config: config)
        do {
            try await installDefinitions(client)
            return (client, server)
        } catch {
            await api.stop()
            throw error
        }
    }

    /// - Parameter removeContainers: also remove containers of pods that still run; otherwise the next start takes them over.
    func stop(removeContainers: Bool) async {
        running?.cancel()
        _ = await running?.result
        await node?.stop(removeContainers: removeContainers)
        await api.stop()
    }

    // MARK: Parts

    /// The token is kept across restarts, so that a kubeconfig stays valid.
    private static func tokenFile(in directory: String) throws -> String {
        try Directory.make(directory, mode: 0o700)
        let path = "\(directory)/token"
        if let known = FileReading.text(path), known.count >= 32 { return known }
        let token = newToken()
        try FileWriting.write(token.utf8, to: path, mode: 0o600)
        return token
    }

    private static func newToken() -> String {
        var generator = SystemRandomNumberGenerator()
        return hex((0..<24).map { _ in UInt8.random(in: 0 ... .max, using: &generator) })
    }

    private static func writeKubeconfig(server: String, token: String, to path: String) throws {
        // Over plain HTTP kubectl does not send the token of a user, but it sends the password of a proxy: the server is named as its own
        // proxy. So the server's address, which `kubectl cluster-info` prints, has no token. Our own client sends the user's token.
        let proxy = server.replacing("http://", with: "http://assay:\(token)@")
        let config: JSONValue = [
            "apiVersion": "v1", "kind": "Config", "current-context": "assay",
            "clusters": [["name": "assay", "cluster": ["server": .string(server), "proxy-url": .string(proxy)]]],
            "users": [["name": "assay", "user": ["token": .string(token)]]],
            "contexts": [["name": "assay", "context": ["cluster": "assay", "user": "assay", "namespace": "default"]]],
        ]
        try FileWriting.write(YAML.emit(config).utf8, to: path, mode: 0o600)
    }

    /// The port of an earlier start. Reusing it lets a separately started operator find the server again.
    private static func lastPort(of kubeconfig: String) -> UInt16? {
        guard let text = FileReading.text(kubeconfig) else { return nil }
        return text.firstMatch(of: /@127\.0\.0\.1:([0-9]+)/).flatMap { UInt16($0.1) }
    }

    private static func installDefinitions(_ client: KubeClient) async throws {
        for text in CustomResourceDefinitions.documents {
            let definition = try YAML.parseSingle(text)
            try await client.apply(.customResourceDefinitions, definition, manager: "assay")
        }
        for type in [ResourceType.evalJobs, .evalTargets, .overlaySources] {
            for attempt in 0... {
                do {
                    _ = try await client.list(type, namespace: nil)
                    break
                } catch {
                    guard error.isNotFound, attempt < 200 else { throw error }
                    try await Task.sleep(for: .milliseconds(10))
                }
            }
        }
    }

    /// The file of this program, for use in containers; it must run without an installed Swift runtime.
    static func ownExecutable() throws -> String {
        guard let path = FileEntry.linkTarget("/proc/self/exe") else { throw UsageError("cannot find the file of this program (/proc/self/exe)") }
        return path
    }
}
