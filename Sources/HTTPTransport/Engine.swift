import Base
import CCurl
import CShims
import Glibc

/// One thread with one libcurl multi handle. All calls to libcurl happen on that thread; other threads queue commands.
///
/// One handle never mixes requests that share connections with requests that do not: libcurl records per host, not per
/// connection, whether connections can be shared, and one answer over HTTP/1.1 ends the sharing for all requests to that host.
final class Engine: @unchecked Sendable {  // `multi` and `active` belong to the thread; the inbox is locked
    private enum Command {
        case start(Transfer)
        case cancel(Transfer)
        case resume(Transfer)
    }

    private struct Inbox {
        var commands: [Command] = []
        var stopping = false
        /// New requests should use another engine. This engine ends after its last request.
        var retiring = false
        /// The multi handle is freed: waking it would access freed memory.
        var closed = false
    }

    private let multi: UnsafeMutableRawPointer
    private var active: [UnsafeMutableRawPointer: Transfer] = [:]
    private let inbox = Locked(Inbox())
    private let isShared: Bool
    private let clock: @Sendable () -> Double

    /// libcurl requires this call once per process, before any other.
    private static let initialized: Bool = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK

    /// Nil when libcurl cannot be set up, because memory or threads are exhausted.
    ///
    /// - Parameter isShared: whether the requests of this engine share connections (HTTP/2).
    init?(isShared: Bool, clock: @escaping @Sendable () -> Double) {
        guard Self.initialized, let multi = curl_multi_init() else { return nil }
        self.multi = multi
        self.clock = clock
        self.isShared = isShared
        _ = assay_multi_set_long(multi, CURLMOPT_PIPELINING, isShared ? Int(CURLPIPE_MULTIPLEX) : Int(CURLPIPE_NOTHING))
        // The number of idle connections kept for reuse, over all hosts.
        _ = assay_multi_set_long(multi, CURLMOPT_MAXCONNECTS, 128)
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Engine>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            curl_multi_cleanup(multi)
            return nil
        }
        pthread_detach(thread)
    }

    // MARK: From any thread

    func start(_ transfer: Transfer) {
        if !post(.start(transfer)) { transfer.finish(.failure(.shutDown)) }
    }

    /// True when new requests should use another engine: the shared connection has stopped answering, or the engine is stopping.
    var isRetired: Bool { inbox.withLock { $0.retiring || $0.stopping } }

    func cancel(_ transfer: Transfer) {
        transfer.requestCancel()
        _ = post(.cancel(transfer))
    }

    func resume(_ transfer: Transfer) { _ = post(.resume(transfer)) }

    /// Fails all requests in progress and ends the thread.
    func stop() {
        inbox.withLock { inbox in
            inbox.stopping = true
            if !inbox.closed { curl_multi_wakeup(multi) }
        }
    }

    /// Returns false when the engine is stopping.
    private func post(_ command: Command) -> Bool {
        inbox.withLock { inbox in
            guard !inbox.stopping, !inbox.closed else { return false }
            inbox.commands.append(command)
            if inbox.commands.count == 1 { curl_multi_wakeup(multi) }
            return true
        }
    }

    // MARK: On its thread

    private func run() {
        // Signals are handled by the main thread, and a write to a closed TLS connection must be an error instead of a SIGPIPE.
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
        while true {
            let (commands, stopping) = inbox.withLock { inbox in
                defer { inbox.commands = [] }
                if inbox.retiring, inbox.commands.isEmpty, active.isEmpty { inbox.stopping = true }
                return (inbox.commands, inbox.stopping)
            }
            for command in commands { execute(command) }
            if stopping { break }
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            collectDone()
            expire()
            curl_multi_poll(multi, nil, 0, pollMilliseconds(), nil)
        }
        inbox.withLock { $0.closed = true }
        for transfer in active.values { detach(transfer, .failure(.shutDown)) }
        curl_multi_cleanup(multi)
    }

    private func execute(_ command: Command) {
        switch command {
        case .start(let transfer):
            if transfer.isCancelRequested { return transfer.finish(.failure(.cancelled)) }
            let easy: UnsafeMutableRawPointer
            do { easy = try transfer.prepare() } catch { return transfer.finish(.failure(error)) }
            let code = curl_multi_add_handle(multi, easy)
            guard code == CURLM_OK else {
                return transfer.finish(.failure(.invalidRequest(String(cString: curl_multi_strerror(code)))))
            }
            active[easy] = transfer
        case .cancel(let transfer):
            if isActive(transfer) { detach(transfer, .failure(.cancelled)) }
        case .resume(let transfer):
            guard isActive(transfer), transfer.isPaused, let easy = transfer.easy else { return }
            transfer.unpause()
            // This call may invoke the write callback at once, which may pause the transfer again.
            curl_easy_pause(easy, CURLPAUSE_CONT)
        }
    }

    private func isActive(_ transfer: Transfer) -> Bool { transfer.easy.map { active[$0] === transfer } ?? false }

    private func collectDone() {
        var easy: UnsafeMutableRawPointer?
        var code = CURLE_OK
        while assay_multi_next_done(multi, &easy, &code) != 0 {
            guard let handle = easy, let transfer = active[handle] else { continue }
            detach(transfer, transfer.result(of: code))
        }
    }

    private func expire() {
        let now = clock()
        for transfer in active.values {
            guard let (which, seconds) = transfer.deadlines.expired(now: now) else { continue }
            // Aborting a request does not close a connection that others share. If that connection is dead, new requests on it
            // would also time out.
            if isShared, which != .connect { inbox.withLock { $0.retiring = true } }
            detach(transfer, .failure(.timedOut(which, host: transfer.address.name, seconds: seconds)))
        }
    }

    /// Removes the transfer from libcurl. Removing an unfinished one over HTTP/1.1 closes its connection.
    private func detach(_ transfer: Transfer, _ result: Result<Void, HTTPTransportError>) {
        if let easy = transfer.easy, active.removeValue(forKey: easy) != nil {
            curl_multi_remove_handle(multi, easy)
            curl_easy_cleanup(easy)
            transfer.easy = nil
        }
        transfer.finish(result)
    }

    private func pollMilliseconds() -> Int32 {
        guard let next = active.values.lazy.compactMap({ $0.deadlines.next }).min() else { return 60_000 }
        let left = (next - clock()) * 1000
        // Rounded up, so that the thread does not poll repeatedly during the last millisecond.
        return Int32(min(60_000, max(0, left.rounded(.up))))
    }
}
