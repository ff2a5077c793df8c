import Base
import HTTPServing
import KubeCore

/// An API server for one machine: the part of the Kubernetes API that the operator and `kubectl` use, over HTTP on loopback.
///
/// Guarantees: with a data directory, every change that was answered is on disk and survives the death of the process at any moment; resource
/// versions only grow, also over restarts; a watch misses no change or ends with 410. Assumptions: clients are on this machine and, where a
/// token is set, know it. Caveats: an object is stored in the version in which it was written (no conversion); there are no admission webhooks.
/// Whoever has the server's token may do everything; tokens of service accounts may do what the stored roles allow.
public final class APIServer: Sendable {
    /// The settings of a server.
    public struct Configuration: Sendable {
        /// The TCP port on 127.0.0.1; 0 means any free port.
        public var port: UInt16
        /// The port of an earlier start, which clients know. When `port` is 0, it is used if it is free.
        public var lastPort: UInt16?
        /// The bearer token that every request except health checks must carry. nil: no token is required, but a token that is sent is refused.
        public var token: String?
        /// The directory for objects. nil: objects are in memory only. One server at a time may use a directory.
        public var dataDirectory: String?
        /// How many changes of each resource are kept for watches to resume from; older versions get 410 Expired.
        public var watchHistory: Int

        public init(port: UInt16 = 0, token: String? = nil, dataDirectory: String? = nil, watchHistory: Int = 4096) {
            self.port = port
            self.token = token
            self.dataDirectory = dataDirectory
            self.watchHistory = watchHistory
        }
    }

    private struct Running: Sendable {
        var core: APICore
        var http: HTTPServer
        var controllers: Controllers
    }

    private enum Phase: Sendable {
        case new, starting, stopped
        case running(Running)
    }

    private let configuration: Configuration
    private let phase = Locked(Phase.new)
    private let logProvider = Locked<(any PodLogProvider)?>(nil)

    public init(configuration: Configuration) { self.configuration = configuration }

    /// The source of container logs; nil means that requests for logs are answered with an error.
    public var podLogs: (any PodLogProvider)? {
        get { logProvider.withLock { $0 } }
        set {
            logProvider.withLock { $0 = newValue }
            if case .running(let running) = phase.withLock({ $0 }) { running.core.logProvider.withLock { $0 = newValue } }
        }
    }

    /// Opens the store, binds the port and serves.
    /// - Returns: the port that was bound.
    /// - Throws: `APIServerError` when the port or the data directory cannot be used.
    public func start() async throws -> UInt16 {
        let isFirst = phase.withLock { phase in
            guard case .new = phase else { return false }
            phase = .starting
            return true
        }
        guard isFirst else { throw APIServerError.alreadyStarted }
        do {
            let store = try ObjectStore(directory: configuration.dataDirectory, historyLimit: configuration.watchHistory)
            let core = APICore(store: store, token: configuration.token)
            core.logProvider.withLock { $0 = podLogs }
            core.makeFirstObjects()
            let controllers = Controllers(core: core)
            // The limits are high, because the clients are on loopback and keep a connection for each concurrent call and watch.
            let http = HTTPServer(
                limits: HTTPServerLimits(connections: 4096, idleSeconds: 600),
                refusal: { error in
                    ServerResponse(status: error.status, contentType: "application/json", parts: [APIFailure.refused(error).body])
                }, handler: { core.handle($0) })
            let port: UInt16
            do {
                port = try Self.bind(http, configuration)
            } catch {
                store.close()
                throw APIServerError.cannotBind(error)
            }
            controllers.start()
            phase.withLock { $0 = .running(Running(core: core, http: http, controllers: controllers)) }
            return port
        } catch {
            phase.withLock { $0 = .stopped }
            throw error
        }
    }

    private static func bind(_ http: HTTPServer, _ configuration: Configuration) throws(HTTPBindFailure) -> UInt16 {
        if configuration.port == 0, let last = configuration.lastPort {
            do throws(HTTPBindFailure) { return try http.start(port: last) } catch {}
        }
        return try http.start(port: configuration.port)
    }

    /// Closes every connection, writes pending changes to disk and releases the data directory. A stopped server cannot start again.
    public func stop() async {
        let running = phase.withLock { phase -> Running? in
            guard case .running(let running) = phase else { return nil }
            phase = .stopped
            return running
        }
        guard let running else { return }
        await withCheckedContinuation { continuation in
            // Ending threads blocks, so it must not happen on a thread of the task pool.
            startThread(name: "api-stop") {
                running.http.stop()
                running.controllers.stop()
                running.core.store.close()
                continuation.resume()
            }
        }
    }
}

/// Why a server could not start.
public enum APIServerError: Error, Sendable, CustomStringConvertible {
    case cannotBind(HTTPBindFailure)
    /// Another server uses the directory; `pid` is its process id, if it could be read.
    case dataDirectoryInUse(path: String, pid: Int32?)
    case dataDirectory(path: String, reason: String)
    /// `start` was called a second time on the same server.
    case alreadyStarted

    public var description: String {
        switch self {
        case .cannotBind(let failure): failure.description
        case .dataDirectoryInUse(let path, let pid):
            "the data directory \(path) is in use" + (pid.map { " by process \($0)" } ?? "")
        case .dataDirectory(let path, let reason): "\(path): \(reason)"
        case .alreadyStarted: "the server was started before"
        }
    }
}

extension APICore {
    /// Creates the objects that exist in every cluster.
    func makeFirstObjects() {
        guard let kind = registry.kind(of: .namespaces) else { return }
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            var value: JSONValue = ["metadata": ["name": .string(name)]]
            MetadataRules.prepareForCreate(&value, kind: kind, namespace: "", uid: newUID(), now: now.rfc3339)
            kind.strategy.prepareForCreate(&value)
            kind.strategy.applyDefaults(&value)
            // After the first start the object exists already, and the error is ignored.
            _ = try? store.create(kind.id, StoreKey(text: name), value, needsNamespace: false)
            makeDefaultAccount(in: name)
        }
    }
}
