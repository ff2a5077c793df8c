/// A bounded queue between the thread that receives a body and the task that reads it. A state machine without locks or I/O.
/// `Waiter` is used to resume a waiting reader.
struct BodyBuffer<Waiter> {
    enum End {
        case complete
        case failed(HTTPTransportError)
    }

    /// What the receiver must do with bytes that have arrived.
    enum Offer {
        /// The bytes were put into the queue.
        case kept
        /// Give the bytes to this reader.
        case handOver(Waiter)
        /// The bytes do not fit: stop receiving until a read returns `resume`.
        case pause
        /// Nobody will read the bytes.
        case abort
        /// The bytes exceed the capacity of a queue that does not pause.
        case tooLarge
    }

    enum Read {
        /// With `resume` there is room again: the receiver must continue.
        case chunk([UInt8], resume: Bool)
        case end
        case failed(HTTPTransportError)
        case wait
        /// Another reader is already waiting.
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
    ///   - capacity: the number of bytes that may be unread.
    ///   - pauses: true: the receiver has to wait when the capacity is used up; a single chunk larger than the capacity is
    ///     accepted when the queue is empty. False: bytes beyond the capacity are an error.
    init(capacity: Int, pauses: Bool = true) {
        self.capacity = capacity
        self.pauses = pauses
    }

    /// The number of bytes in the queue.
    var unread: Int { buffered }

    /// Offers `count` bytes. `copy` is called only when the bytes are put into the queue.
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

    /// Takes the next chunk, or stores the waiter.
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
            // Resumes only at half the capacity, so that the receiver does not stop and start for every chunk.
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

    /// Ends the body. Only the first call counts. Returns a waiting reader, which must be told.
    mutating func finish(_ how: End) -> Waiter? {
        guard end == nil else { return nil }
        end = how
        defer { waiter = nil }
        return waiter
    }

    /// The reader has gone: drops the buffered bytes. Returns the waiter, and whether the transfer must be aborted.
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
