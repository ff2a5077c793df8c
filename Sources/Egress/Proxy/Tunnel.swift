/// Moves bytes from one socket to another.
enum Relay {
    /// Moves what has arrived, as long as the receiver takes it; a quarter of a megabyte at most, so that other connections get their turn.
    /// - Returns: the number of bytes, and whether reading failed.
    static func move(from: StreamSocket, to: StreamSocket, through scratch: UnsafeMutableRawBufferPointer) -> (moved: Int, failed: Bool) {
        var moved = 0
        for _ in 0..<4 {
            guard !from.hasEnded, to.isFlushed, !to.isBroken else { break }
            switch from.read() {
            case .bytes(let count):
                moved += count
                to.write(UnsafeRawBufferPointer(rebasing: scratch[..<count]))
                if count < scratch.count { return (moved, false) }
            case .end:
                to.finishWriting()
                return (moved, false)
            case .nothingNow: return (moved, false)
            case .failed: return (moved, true)
            }
        }
        return (moved, false)
    }
}

/// Two sockets whose bytes go to each other, each direction to its own end.
///
/// Guarantee: what one side does not take stops the reading of the other; at most 64 KiB are held for each side.
final class Tunnel {
    enum Outcome {
        case going(sent: Int, received: Int)
        case ended
        /// A side has failed: the other one is to be reset, so that it does not take what it got for everything.
        case broken
    }

    private let client: StreamSocket
    private let server: StreamSocket
    private let scratch: UnsafeMutableRawBufferPointer

    init(client: StreamSocket, server: StreamSocket, scratch: UnsafeMutableRawBufferPointer) {
        self.client = client
        self.server = server
        self.scratch = scratch
    }

    /// One side sends no more.
    var isHalfClosed: Bool { client.hasEnded || server.hasEnded }

    /// Called when either socket is ready.
    func pump() -> Outcome {
        let sent = Relay.move(from: client, to: server, through: scratch)
        let received = Relay.move(from: server, to: client, through: scratch)
        if sent.failed || received.failed || client.isBroken { return .broken }
        // What a broken server sent before is still passed on.
        if server.isBroken, server.hasEnded { return .broken }
        if client.hasEnded, server.hasEnded, client.isFlushed, server.isFlushed { return .ended }
        client.isReading = !client.hasEnded && server.isFlushed && !server.isBroken
        server.isReading = !server.hasEnded && client.isFlushed
        return .going(sent: sent.moved, received: received.moved)
    }
}
