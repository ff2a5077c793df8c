/// What lies between the thread that receives a body and the task that reads it: a bounded queue, as a state machine
/// without locks or I/O. `Waiter` is how to reach a reader that waits.
struct BodyBuffer<Waiter> {
    enum End {
        case complete
        case failed(HTTPTransportError)
    }

    /// What the receiver does with bytes that have come.
    enum Offer {
        /// They are kept.
        case kept
        /// They are given to this reader.
        case handOver(Waiter)
        /// They do not fit: keep them out until `resume` is asked for.
        case pause
        /// Nobody will read them.
        case abort
        /// They are more than may lie unread at all.
        case tooLarge
    }

    enum Read {
        /// `resume`: there is room again, let the receiver go on.
        case chunk([UInt8], resume: Bool)
        case end
        case failed(HTTPTransportError)
        case wait
        /// Somebody else is waiting already.
        case busy
    }

    private var chunks: [[UInt8]] = []
    private var first = 0
    private var buffered = 0
    private var paused = false
    private var end: End?
    private var abandoned = false
    private var waiter: Waiter?
    private let capacity: Int
    private let pauses: Bool

    /// - Parameters:
    ///   - capacity: bytes that may lie unread.
    ///   - pauses: whether the receiver has to wait when they are there; a single larger chunk is then taken when the queue is empty.
    ///     Otherwise more bytes are an error.
    init(capacity: Int, pauses: Bool = true) {
        self.capacity = capacity
        self.pauses = pauses
    }

    /// Bytes that nobody has read yet.
    var unread: Int { buffered }

    /// Offers `count` bytes; `copy` makes the array only when they are taken into the queue.
    mutating func offer(_ count: Int, copy: () -> [UInt8]) -> Offer {
        if abandoned || end != nil { return .abort }
        if let reader = waiter {
            waiter = nil
            return .handOver(reader)
        }
        if buffered + count > capacity {
            guard pauses else { return .tooLarge }
            if buffered > 0 {
                paused = true
                return .pause
            }
        }
        chunks.append(copy())
        buffered += count
        return .kept
    }

    /// Takes the next chunk, or remembers who to wake.
    mutating func read(_ makeWaiter: @autoclosure () -> Waiter) -> Read {
        if first < chunks.count {
            let chunk = chunks[first]
            chunks[first] = []
            first += 1
            buffered -= chunk.count
            if first == chunks.count {
                chunks.removeAll(keepingCapacity: true)
                first = 0
            }
            // Half empty before going on, so that the two sides do not take turns on every chunk.
            let resume = paused && buffered <= capacity / 2
            if resume { paused = false }
            return .chunk(chunk, resume: resume)
        }
        switch end {
        case .complete: return .end
        case .failed(let error): return .failed(error)
        case nil: break
        }
        if abandoned { return .failed(.cancelled) }
        guard waiter == nil else { return .busy }
        waiter = makeWaiter()
        return .wait
    }

    /// Nothing more will come. The first end counts. Returns a reader that has to be told.
    mutating func finish(_ how: End) -> Waiter? {
        guard end == nil else { return nil }
        end = how
        defer { waiter = nil }
        return waiter
    }

    /// The reader has gone: what is buffered is dropped. Returns the waiter, and whether the transfer has to be aborted.
    mutating func abandon() -> (waiter: Waiter?, abort: Bool) {
        let wasOpen = end == nil && !abandoned
        abandoned = true
        chunks = []
        first = 0
        buffered = 0
        defer { waiter = nil }
        return (waiter, wasOpen)
    }
}
