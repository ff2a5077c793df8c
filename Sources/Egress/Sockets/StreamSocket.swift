import Base
import Glibc

/// What a socket tells its owner.
protocol StreamSocketOwner: AnyObject {
    /// There may be bytes to read, or room to write, or the connection has failed.
    func isReady(_ socket: StreamSocket)
}

/// A connected, non-blocking socket on an event loop. Closed by its owner, exactly once.
///
/// Guarantee: it holds bytes only that the peer does not take now, and at most as many as one `write` was given, as long as the owner writes
/// only when `unsent` is 0.
final class StreamSocket: EventHandler {
    enum ReadResult {
        /// This many bytes are in the loop's scratch buffer.
        case bytes(Int)
        case end
        case nothingNow
        case failed
    }

    private let descriptor: Int32
    private let loop: EventLoop
    private let token: UInt64
    /// The owner is referenced until `close`.
    private var owner: (any StreamSocketOwner)?
    private var watched: Readiness = []
    private var output: [UInt8] = []
    private var sent = 0
    private var isOpen = true
    private var finishes = false

    /// The peer sends no more.
    private(set) var hasEnded = false
    /// The peer takes no more, or the connection is broken.
    private(set) var isBroken = false
    /// The peer has closed at least its side; known only while `watchesForHangup`, or when reading.
    private(set) var hungUp = false

    /// Whether the owner wants to be told when there are bytes to read.
    var isReading = false { didSet { update() } }
    /// Whether the owner wants to be told when the peer closes its side, without reading.
    var watchesForHangup = false { didSet { update() } }

    init(_ descriptor: Int32, on loop: EventLoop, owner: any StreamSocketOwner) {
        self.descriptor = descriptor
        self.loop = loop
        self.owner = owner
        token = loop.makeToken()
        loop.add(self, token: token)
    }

    var unsent: Int { output.count - sent }

    /// All bytes are sent, and so is the end when `finishWriting` was called.
    var isFlushed: Bool { unsent == 0 }

    func read() -> ReadResult {
        guard isOpen, !hasEnded else { return .end }
        while true {
            let count = recv(descriptor, loop.scratch.baseAddress, loop.scratch.count, 0)
            if count > 0 { return .bytes(count) }
            if count == 0 {
                hasEnded = true
                // The error of a reset connection is reported once, and may have been taken already.
                return isBroken ? .failed : .end
            }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .nothingNow
            default:
                isBroken = true
                return .failed
            }
        }
    }

    /// Sends what the peer takes now and keeps the rest. Bytes to a broken connection are dropped.
    func write(_ bytes: UnsafeRawBufferPointer) {
        guard isOpen, !isBroken, !finishes, !bytes.isEmpty else { return }
        var rest = bytes
        if unsent == 0 {
            let count = send(rest)
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        if !rest.isEmpty, !isBroken { output.append(contentsOf: rest) }
        update()
    }

    func write(_ bytes: [UInt8]) { bytes.withUnsafeBytes { write($0) } }

    /// Ends this direction when everything is sent.
    func finishWriting() {
        guard !finishes else { return }
        finishes = true
        if unsent == 0 { shutdown(descriptor, Int32(SHUT_WR)) }
    }

    /// - Parameter reset: the peer sees that the connection has failed, instead of an end that could be taken for a complete message.
    func close(reset: Bool = false) {
        guard isOpen else { return }
        isOpen = false
        loop.watch(descriptor, token: token, from: watched, to: [])
        watched = []
        loop.remove(token: token)
        owner = nil
        output = []
        sent = 0
        if reset { setSocketOption(descriptor, SOL_SOCKET, SO_LINGER, linger(l_onoff: 1, l_linger: 0)) }
        Glibc.close(descriptor)
    }

    func ready(_ events: Readiness) {
        let hangup: Readiness = [.peerEnded, .closed, .failed]
        if events.contains(.failed) {
            var code: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            if getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0, code != 0 { isBroken = true }
        }
        // Nothing can be sent any more. What has arrived can still be read.
        if events.contains(.closed), unsent > 0 { isBroken = true }
        if events.contains(.writable) { flush() }
        if !events.isDisjoint(with: hangup) { hungUp = true }
        owner?.isReady(self)
        // It would be reported again and again.
        if !events.isDisjoint(with: hangup), isOpen { watchesForHangup = false }
    }

    private func flush() {
        guard unsent > 0, !isBroken else { return }
        let count = output.withUnsafeBytes { send(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
        sent += count
        if sent == output.count {
            // The memory is given back: most connections wait most of the time.
            output = []
            sent = 0
            if finishes { shutdown(descriptor, Int32(SHUT_WR)) }
        }
        update()
    }

    private func send(_ bytes: UnsafeRawBufferPointer) -> Int {
        var total = 0
        while total < bytes.count {
            let count = Glibc.send(descriptor, bytes.baseAddress?.advanced(by: total), bytes.count - total, Int32(MSG_NOSIGNAL))
            if count >= 0 {
                total += count
            } else if errno == EINTR {
                continue
            } else {
                if errno != EAGAIN {
                    isBroken = true
                    output = []
                    sent = 0
                    return bytes.count
                }
                return total
            }
        }
        return total
    }

    private func update() {
        guard isOpen else { return }
        var wanted: Readiness = []
        if isReading { wanted.insert(.readable) }
        if unsent > 0, !isBroken { wanted.insert(.writable) }
        if watchesForHangup { wanted.insert(.peerEnded) }
        guard wanted != watched else { return }
        loop.watch(descriptor, token: token, from: watched, to: wanted)
        watched = wanted
    }
}
