import Base
import HTTPServing
import KubeCore

/// An API server for one machine: the part of the Kubernetes API that the operator and `kubectl` rely on, over HTTP on loopback.
///
/// Guarantees: what was answered is on disk when a data directory is given, and survives the death of the process at any moment;
/// resource versions only grow, over restarts too; a watch misses nothing or ends with 410. Assumptions: clients are on this machine
/// and, where a token is set, know it. Caveats: one version of a kind is stored as it was written (no conversion), and there is no
/// admission by webhooks, no authorization beyond the token.
public final class APIServer: Sendable {
    /// How a server is set up.
    public struct Configuration: Sendable {
        /// The TCP port on 127.0.0.1; 0 takes a free one.
        public var port: UInt16
        /// Where `port` is 0, the one that is taken when it is free: that of an earlier start, which clients know.
        public var lastPort: UInt16?
        /// The bearer token that every request but health checks must carry. Nil: none is asked for, though one that is sent is refused.
        public var token: String?
        /// Where objects are kept. Nil: in memory only. One server at a time may use a directory.
        public var dataDirectory: String?
        /// How many changes of each resource a watch can resume over; older versions get 410 Expired.
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

    /// Where container logs come from; nil answers that none is available.
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
            // On loopback, for clients that keep a connection for each call and watch that they have at once.
            let http = HTTPServer(limits: HTTPServerLimits(connections: 4096, idleSeconds: 600), refusal: { error in
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

    /// Closes every connection, writes what is pending to disk and releases the data directory. A stopped server cannot start again.
    public func stop() async {
        let running = phase.withLock { phase -> Running? in
            guard case .running(let running) = phase else { return nil }
            phase = .stopped
            return running
        }
        guard let running else { return }
        await withCheckedContinuation { continuation in
            // Ending threads blocks; that must not happen on a thread of the task pool.
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
    /// Another server has the directory; its pid where that could be read.
    case dataDirectoryInUse(path: String, pid: Int32?)
    case dataDirectory(path: String, reason: String)
    /// A server starts once.
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
    /// What every cluster has.
    func makeFirstObjects() {
        guard let kind = registry.kind(of: .namespaces) else { return }
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            var value: JSONValue = ["metadata": ["name": .string(name)]]
            MetadataRules.prepareForCreate(&value, kind: kind, namespace: "", uid: newUID(), now: now.rfc3339)
            kind.strategy.prepareForCreate(&value)
            kind.strategy.applyDefaults(&value)
            // There already after the first start.
            _ = try? store.create(kind.id, StoreKey(text: name), value, needsNamespace: false)
        }
    }
}
