import Base
import Glibc

/// Writes a response body piece by piece, and detects that the client has closed the connection.
public final class HTTPBodyWriter {
    public enum WaitResult { case woken, deadline, closed }

    private let socket: Int32
    private let isChunked: Bool

    init(socket: Int32, isChunked: Bool) {
        self.socket = socket
        self.isChunked = isChunked
    }

    /// Sends the bytes immediately, without buffering.
    public func write(_ bytes: [UInt8]) throws(HTTPConnectionClosed) {
        guard !bytes.isEmpty else { return }
        if isChunked {
            let framed = Array(String(bytes.count, radix: 16).utf8) + [13, 10] + bytes + [13, 10]
            guard sendAll(socket, framed) else { throw HTTPConnectionClosed() }
        } else {
            guard sendAll(socket, bytes) else { throw HTTPConnectionClosed() }
        }
    }

    func finish() throws(HTTPConnectionClosed) {
        guard !isChunked || sendAll(socket, Array("0\r\n\r\n".utf8)) else { throw HTTPConnectionClosed() }
    }

    /// Waits for a signal, for the client to close the connection, or for the deadline (monotonic seconds).
    public func wait(for wakeup: Wakeup, until deadline: Double) -> WaitResult {
        let hangup: Int16 = 0x2000  // POLLRDHUP, which the Glibc module omits
        var set = [
            pollfd(fd: socket, events: hangup, revents: 0),
            pollfd(fd: wakeup.readEnd, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let left = deadline - SystemTime().monotonic()
            guard left > 0 else { return .deadline }
            let ready = poll(&set, 2, Int32(min(left * 1000 + 1, 1e9)))
            if ready < 0 && errno != EINTR { return .closed }
            if ready <= 0 { continue }
            if set[0].revents != 0 { return .closed }
            if set[1].revents != 0 {
                wakeup.drain()
                return .woken
            }
        }
    }
}
