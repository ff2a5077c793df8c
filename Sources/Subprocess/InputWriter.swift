import Base
import CShims
import Dispatch
import Glibc

/// Writes to a child's standard input as it takes it. Every call comes from the child's queue.
final class InputWriter: @unchecked Sendable {  // its state is only touched on `queue`, which is serial
    private let fd: Int32
    private let source: any DispatchSourceWrite
    private var pending: [UInt8] = []
    private var finishing = false
    private var closed = false
    private var suspended = true

    init(_ fd: Int32, _ queue: DispatchQueue) {
        self.fd = fd
        _ = fcntl(fd, F_SETFL, O_NONBLOCK)
        source = DispatchSource.makeWriteSource(fileDescriptor: fd, queue: queue)
        source.setEventHandler { [weak self] in self?.flush() }
        source.setCancelHandler { close(fd) }
    }

    deinit { stop() }

    func append(_ bytes: [UInt8]) {
        guard !closed else { return }
        pending.append(contentsOf: bytes)
        flush()
    }

    func finish() {
        finishing = true
        flush()
    }

    /// The child is gone: what it did not take is dropped.
    func abandon() {
        pending = []
        stop()
    }

    private func flush() {
        guard !closed else { return }
        while !pending.isEmpty {
            let count = assay_write_nosigpipe(fd, pending, pending.count)
            if count > 0 {
                pending.removeFirst(count)
            } else if count < 0, errno == EINTR {
                continue
            } else if count < 0, errno == EAGAIN {
                wait(true)
                return
            } else {
                // The child closed its end: it wants no more.
                return abandon()
            }
        }
        if finishing { stop() } else { wait(false) }
    }

    private func wait(_ wanted: Bool) {
        guard wanted == suspended else { return }
        suspended = !wanted
        if wanted { source.resume() } else { source.suspend() }
    }

    private func stop() {
        guard !closed else { return }
        closed = true
        source.cancel()
        // A suspended source never runs its cancel handler.
        if suspended { source.resume() }
    }
}
