import Base
import Dispatch
import Glibc
import HTTPServing

/// A forward proxy for trials: CONNECT and plain HTTP to the hosts that a signed token allows.
///
/// Guarantees:
/// - Without a valid token nothing is resolved and nothing connected to.
/// - It connects only to addresses that `EgressPolicy` has checked, in the moment after they were resolved.
/// - Proxy-Authorization and other hop-by-hop fields are passed on in neither direction. Each plain request has a connection to its server of
///   its own.
/// - Memory, threads, descriptors and connections are bounded, and so is what one token or one client can have of them.
///
/// Caveats: what goes through a tunnel is not read. Denials and the binding of tokens to clients are kept in memory: they end with the
/// process, and are not shared between several.
public final class EgressProxy: Sendable {
    public struct Configuration: Sendable {
        public var listeners: [EgressListener]
        public var policy: EgressPolicy
        public var limits: EgressLimits
        /// Asked for at each request, so that keys can change.
        public var keys: SigningKeys
        public var resolver: any HostResolver
        public var metrics: MetricsRegistry
        public var log: Log
        public var time: any TimeSource

        public init(
            listeners: [EgressListener], policy: EgressPolicy = EgressPolicy(), limits: EgressLimits = EgressLimits(), keys: @escaping SigningKeys,
            resolver: any HostResolver = SystemResolver(), metrics: MetricsRegistry = MetricsRegistry(), log: Log = Log("egress"),
            time: any TimeSource = SystemTime()
        ) {
            self.listeners = listeners
            self.policy = policy
            self.limits = limits
            self.keys = keys
            self.resolver = resolver
            self.metrics = metrics
            self.log = log
            self.time = time
        }
    }

    private struct State {
        var mailboxes: [WorkerMailbox] = []
        var running = 0
        var sockets: [String] = []
    }

    private let listeners: [EgressListener]
    private let context: ProxyContext
    private let state = Locked(State())
    private let ended = DispatchSemaphore(value: 0)

    public init(_ configuration: Configuration) {
        listeners = configuration.listeners
        var limits = configuration.limits
        let descriptors = Int(min(Self.descriptorLimit?.rlim_cur ?? 1024, 1 << 30))
        limits.connections = max(1, min(limits.connections, (descriptors - 128) / 2))
        limits.threads = max(1, limits.threads)
        context = ProxyContext(configuration, limits: limits)
        let book = context.book
        context.metrics.follow { book.withLock(\.connections) }
    }

    /// The limits in use: fewer connections than configured when the process may have too few descriptors.
    public var limits: EgressLimits { context.limits }

    /// Client connections now.
    public var connections: Int { context.book.withLock(\.connections) }

    /// What a run was denied; the same as `GET /.assay/denials` with a token of the run.
    public func denials(of run: String) -> EgressDenialReport { context.report(of: run) }

    /// Binds the listeners and begins to serve. Called once.
    /// - Returns: the listeners with the ports that were selected, in the order of the configuration.
    /// - Throws: `HTTPBindFailure`, or `POSIXFailure` when the system gives no descriptors or threads.
    public func start() throws -> [EgressListener] {
        var open: [(descriptor: Int32, bound: EgressListener)] = []
        var loops: [(mailbox: WorkerMailbox, epoll: Int32)] = []
        do {
            for listener in listeners { open.append(try listener.open()) }
            for _ in 0..<context.limits.threads { loops.append((try WorkerMailbox(), try EventLoop.openDescriptor())) }
        } catch {
            for listener in open { close(listener.descriptor) }
            for loop in loops { close(loop.epoll) }
            throw error
        }
        let team = loops.map(\.mailbox)
        let paths = listeners.compactMap { listener -> String? in
            if case .unix(let path) = listener { return path }
            return nil
        }
        state.withLock { $0 = State(mailboxes: team, running: loops.count, sockets: paths) }
        let descriptors = open.map(\.descriptor)
        for (index, loop) in loops.enumerated() {
            let isStarted = startThread(name: "egress-\(index)") { [self] in
                ProxyWorker(context, mailbox: loop.mailbox, epoll: loop.epoll, listeners: index == 0 ? descriptors : [], team: team).run()
                workerEnded()
            }
            guard isStarted else {
                // The threads that did start end by themselves; the first one closes the listeners.
                for _ in index..<loops.count { workerEnded() }
                if index == 0 { descriptors.forEach { close($0) } }
                for loop in loops[index...] { close(loop.epoll) }
                stop(drainSeconds: 0)
                throw POSIXFailure(EAGAIN)
            }
        }
        return open.map(\.bound)
    }

    private func workerEnded() {
        let isLast = state.withLock { state in
            state.running -= 1
            return state.running == 0
        }
        if isLast { ended.signal() }
    }

    /// Stops accepting, waits for what runs, and closes what is left.
    /// - Parameter drainSeconds: how long requests and tunnels may go on.
    public func stop(drainSeconds: Double) {
        let (mailboxes, sockets) = state.withLock { state in
            defer { state.mailboxes = [] }
            return (state.mailboxes, state.sockets)
        }
        guard !mailboxes.isEmpty else { return }
        for mailbox in mailboxes { mailbox.post(.drain(seconds: drainSeconds)) }
        for path in sockets { unlink(path) }
        _ = ended.wait(timeout: .now() + drainSeconds + 10)
        context.resolver.stop()
    }

    /// Raises the limit for open files of this process and its children as far as the system lets it. For the start of a process that is
    /// a proxy and little else.
    public static func raiseDescriptorLimit() {
        guard var limit = descriptorLimit, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private static var descriptorLimit: rlimit? {
        var limit = rlimit()
        return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? limit : nil
    }
}
