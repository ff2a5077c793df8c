import Base

/// The reader's side of a body. Its deinitialisation means that nobody reads the body any more.
final class BodySource: Sendable {
    typealias Waiter = CheckedContinuation<Result<[UInt8]?, HTTPTransportError>, Never>

    let channel: BodyChannel
    private let held = Locked<(any Sendable)?>(nil)

    init(channel: BodyChannel) { self.channel = channel }

    /// Keeps the token alive until the body has ended or its reader has gone.
    func hold(_ token: any Sendable) { held.withLock { $0 = token } }

    convenience init(bytes: [UInt8]) {
        let channel = BodyChannel(capacity: 0, onResume: {}, onAbort: {})
        if !bytes.isEmpty { _ = bytes.withUnsafeBytes { channel.receive($0) } }
        channel.finish(.complete)
        self.init(channel: channel)
    }

    deinit { channel.abandon() }

    func abandon() { channel.abandon() }

    func next() async throws(HTTPTransportError) -> [UInt8]? {
        if Task.isCancelled {
            channel.abandon()
            throw .cancelled
        }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (waiter: Waiter) in channel.read(waiter) }
        } onCancel: {
            channel.abandon()
        }
        // The token is released outside the lock, because its deinitialiser may run any code.
        if case .success(_?) = result {
        } else {
            _ = held.withLock { held in
                defer { held = nil }; return held
            }
        }
        return try result.get()
    }
}

/// A ``BodyBuffer`` behind a lock, which also performs the actions that the buffer asks for.
final class BodyChannel: Sendable {
    private let buffer: Locked<BodyBuffer<BodySource.Waiter>>
    private let onResume: @Sendable () -> Void
    private let onAbort: @Sendable () -> Void

    init(
        capacity: Int, pauses: Bool = true, onResume: @escaping @Sendable () -> Void, onAbort: @escaping @Sendable () -> Void
    ) {
        buffer = Locked(BodyBuffer(capacity: capacity, pauses: pauses))
        self.onResume = onResume
        self.onAbort = onAbort
    }

    enum Reception { case taken, pause, abort, tooLarge }

    /// Called by the receiving thread.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Reception {
        switch buffer.withLock({ $0.offer(bytes.count) { Array(bytes) } }) {
        case .kept: return .taken
        case .handOver(let waiter):
            waiter.resume(returning: .success(Array(bytes)))
            return .taken
        case .pause: return .pause
        case .abort: return .abort
        case .tooLarge: return .tooLarge
        }
    }

    func finish(_ end: BodyBuffer<BodySource.Waiter>.End) {
        guard let waiter = buffer.withLock({ $0.finish(end) }) else { return }
        switch end {
        case .complete: waiter.resume(returning: .success(nil))
        case .failed(let error): waiter.resume(returning: .failure(error))
        }
    }

    func read(_ waiter: BodySource.Waiter) {
        switch buffer.withLock({ $0.read(waiter) }) {
        case .chunk(let bytes, let resume):
            if resume { onResume() }
            waiter.resume(returning: .success(bytes))
        case .end: waiter.resume(returning: .success(nil))
        case .failed(let error): waiter.resume(returning: .failure(error))
        case .wait: break
        case .busy:
            waiter.resume(returning: .failure(.invalidRequest("two tasks read one body: one reader at a time")))
        }
    }

    func abandon() {
        let (waiter, abort) = buffer.withLock { $0.abandon() }
        waiter?.resume(returning: .failure(.cancelled))
        if abort { onAbort() }
    }

    /// The number of unread bytes; for tests.
    var unread: Int { buffer.withLock { $0.unread } }
}
