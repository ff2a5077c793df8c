import Base
import Dispatch
import Glibc

/// The end of a container, as conmon reported it.
struct ContainerExit: Sendable, Hashable {
    var containerID: String
    /// The exit code; nil when podman has already removed the file, and then podman is asked.
    var code: Int?
    var at: Timestamp
}

/// Reports the end of containers at once: conmon writes a file with the exit code into one directory, which inotify watches.
///
/// Guarantee: an exit after `start` is reported to the handler that follows the container, even if `follow` is called after the exit. Caveat:
/// exits before `start` are not reported. A starting node asks podman for those, and also when the kernel reports that events were lost.
final class ExitWatch: Sendable {
    typealias Handler = @Sendable (ContainerExit) -> Void

    private let directory: String
    private let time: any TimeSource
    private let onOverflow: @Sendable () -> Void
    private let queue = DispatchQueue(label: "assay.node.exits")
    private let state = Locked(State())

    private struct State {
        var followers: [String: Handler] = [:]
        var unclaimed: [String: ContainerExit] = [:]
        var source: (any DispatchSourceRead)?
    }

    init(directory: String, time: any TimeSource, onOverflow: @escaping @Sendable () -> Void) {
        self.directory = directory
        self.time = time
        self.onOverflow = onOverflow
    }

    func start() throws(FileError) {
        try Directory.make(directory, mode: 0o750)
        let fd = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard fd >= 0 else { throw FileError("watch", directory) }
        guard inotify_add_watch(fd, directory, UInt32(IN_MOVED_TO | IN_CLOSE_WRITE)) >= 0 else {
            let number = errno
            close(fd)
            throw FileError("watch", directory, number)
        }
        let source = DispatchSource.makeReadSource(fileDescriptor: fd, queue: queue)
        source.setEventHandler { [weak self] in self?.drain(fd) }
        source.setCancelHandler { close(fd) }
        state.withLock { $0.source = source }
        source.activate()
    }

    func stop() {
        state.withLock { state in
            state.source?.cancel()
            state.source = nil
            state.followers = [:]
        }
    }

    /// Calls the handler once: when the container ends, or at once if it has already ended.
    func follow(_ containerID: String, _ handler: @escaping Handler) {
        let exit = state.withLock { state -> ContainerExit? in
            if let exit = state.unclaimed.removeValue(forKey: containerID) { return exit }
            state.followers[containerID] = handler
            return nil
        }
        if let exit { handler(exit) }
    }

    func forget(_ containerID: String) {
        state.withLock { state in
            state.followers[containerID] = nil
            state.unclaimed[containerID] = nil
        }
    }

    private func drain(_ fd: Int32) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let header = MemoryLayout<inotify_event>.size
        while true {
            let count = read(fd, &buffer, buffer.count)
            guard count > 0 else { return }
            var at = 0
            while at + header <= count {
                let (mask, length) = buffer.withUnsafeBytes { bytes in
                    (bytes.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self), Int(bytes.loadUnaligned(fromByteOffset: at + 12, as: UInt32.self)))
                }
                let end = min(at + header + length, count)
                let name = String(decoding: buffer[(at + header)..<end].prefix { $0 != 0 }, as: UTF8.self)
                at = end
                if mask & UInt32(IN_Q_OVERFLOW) != 0 { onOverflow() } else { ended(name) }
            }
        }
    }

    private func ended(_ name: String) {
        // conmon first writes the file under a temporary name, which this condition skips.
        guard name.count == 64, name.allSatisfy(\.isHexDigit) else { return }
        let code = FileReading.text(directory + "/" + name, limit: 64).flatMap { Int($0.prefix { $0.isNumber || $0 == "-" }) }
        let exit = ContainerExit(containerID: name, code: code, at: time.now())
        let handler = state.withLock { state -> Handler? in
            if let handler = state.followers.removeValue(forKey: name) { return handler }
            if state.unclaimed[name]?.code == nil { state.unclaimed[name] = exit }
            // Containers of probes and sandboxes are never followed, so their exits would otherwise be kept forever.
            if state.unclaimed.count > 4096 { state.unclaimed.removeAll() }
            return nil
        }
        handler?(exit)
    }
}
