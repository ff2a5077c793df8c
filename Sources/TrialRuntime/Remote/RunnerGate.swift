import Base
import CShims
import Dispatch
import Glibc

/// The runner's ends of the trial's gate, in a container that speaks for a runner elsewhere. The gate closes when `close` is called or the
/// process ends.
final class RunnerGate: Sendable {
    private let said: Int32
    private let heard: Int32
    private let isOpen = Locked(true)

    /// - Parameter answered: gets each word of the collector, in order, from one thread.
    /// - Throws: `FileError` when delivery made no gate.
    init(_ paths: TrialPaths, answered: @escaping @Sendable (String) -> Void) throws(FileError) {
        // Waits for the collector, as a runner does: what is said before it listens would be lost.
        said = open(paths.phaseFIFO, O_WRONLY | O_NOFOLLOW | O_CLOEXEC)
        guard said >= 0 else { throw FileError("open", paths.phaseFIFO) }
        heard = open(paths.releasedFIFO, O_RDWR | O_NOFOLLOW | O_CLOEXEC)
        guard heard >= 0 else { throw FileError("open", paths.releasedFIFO) }
        DispatchQueue(label: "gate").async { [heard] in
            var line: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 256)
            while true {
                let count = read(heard, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return }
                for byte in buffer[..<count] {
                    if byte != UInt8(ascii: "\n") {
                        line.append(byte)
                    } else {
                        answered(String(decoding: line, as: UTF8.self))
                        line = []
                    }
                }
            }
        }
    }

    /// Tells the collector a line.
    func say(_ line: String) {
        let bytes = Array("\(line)\n".utf8)
        isOpen.withLock { isOpen in
            if isOpen { _ = assay_write_nosigpipe(said, bytes, bytes.count) }
        }
    }

    /// Closes what the collector listens to. The thread that reads its answers lives as long as the process.
    func close() {
        isOpen.withLock { isOpen in
            if isOpen { _ = Glibc.close(said) }
            isOpen = false
        }
    }
}
