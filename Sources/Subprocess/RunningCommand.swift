import Base
import CShims
import Dispatch
import Glibc

/// A started child: its output as it comes, signals, its end.
///
/// All events of one child are handled on a queue of its own; nothing blocks a thread while the child runs.
public final class RunningCommand: Sendable {
    public typealias OutputHandler = @Sendable ([UInt8]) -> Void

    public let pid: Int32
    private let queue: DispatchQueue
    private let state: Locked<State>

    private struct State {
        var exit: Exit?
        var openOutputs: Int
        var waiters: [CheckedContinuation<Exit, Never>] = []
        var input: InputWriter?
        var sources: [any DispatchSourceProtocol] = []
        var grace: (any DispatchSourceTimer)?

        /// The end is told once the child has been reaped and its output has been read to the end.
        var ended: Exit? { openOutputs == 0 ? exit : nil }
    }

    /// Starts the child. `onStdout` and `onStderr` are called in order, from one queue; without a handler the stream
    /// goes to /dev/null. With `keepInputOpen` the standard input stays open for `write` until `closeInput`.
    public static func start(
        _ command: Command, keepInputOpen: Bool = false, onStdout: OutputHandler? = nil, onStderr: OutputHandler? = nil
    ) throws(SubprocessError) -> RunningCommand {
        guard let path = ExecutableLookup.find(command.executable) else { throw .notFound(command.executable) }

        var childEnds: [Int32] = []
        var ownEnds: [Int32] = []
        func fail(_ number: Int32) -> SubprocessError {
            (childEnds + ownEnds).forEach { close($0) }
            return .spawnFailed(command.executable, errno: number)
        }
        func makePipe() -> (read: Int32, write: Int32)? {
            var fds: [Int32] = [0, 0]
            return assay_pipe(&fds) == 0 ? (fds[0], fds[1]) : nil
        }

        var stdinFD: Int32 = -1
        var inputFD: Int32?
        var inputBytes: [UInt8] = []
        switch command.standardInput {
        case .none where !keepInputOpen: break
        case .file(let file):
            stdinFD = open(file, O_RDONLY | O_CLOEXEC)
            if stdinFD < 0 { throw fail(errno) }
            childEnds.append(stdinFD)
        case .bytes, .none:
            guard let pipe = makePipe() else { throw fail(errno) }
            childEnds.append(pipe.read)
            ownEnds.append(pipe.write)
            stdinFD = pipe.read
            inputFD = pipe.write
            if case .bytes(let bytes) = command.standardInput { inputBytes = bytes }
        }

        var outputs: [(fd: Int32, handler: OutputHandler)] = []
        var outFDs: [Int32] = [-1, -1]
        for (index, handler) in [onStdout, onStderr].enumerated() {
            guard let handler else { continue }
            guard let pipe = makePipe() else { throw fail(errno) }
            childEnds.append(pipe.write)
            ownEnds.append(pipe.read)
            outFDs[index] = pipe.write
            outputs.append((pipe.read, handler))
        }

        var pidfd: Int32 = -1
        let pid = spawn(command, path: path, stdin: stdinFD, stdout: outFDs[0], stderr: outFDs[1], pidfd: &pidfd)
        if pid < 0 { throw fail(-pid) }
        childEnds.forEach { close($0) }

        let running = RunningCommand(pid: pid, outputs: outputs.count)
        running.watch(pidfd: pidfd, outputs: outputs)
        if let inputFD { running.feed(inputFD, inputBytes, keepOpen: keepInputOpen) }
        return running
    }

    private init(pid: Int32, outputs: Int) {
        self.pid = pid
        queue = DispatchQueue(label: "assay.subprocess.\(pid)")
        state = Locked(State(openOutputs: outputs))
    }

    /// Returns when the child has ended and its output has been handed over. A grandchild that keeps the output open
    /// is waited for at most two seconds after the child's end, then its output is cut off.
    public func wait() async -> Exit {
        await withCheckedContinuation { continuation in
            let ended = state.withLock { state -> Exit? in
                if let exit = state.ended { return exit }
                state.waiters.append(continuation)
                return nil
            }
            if let ended { continuation.resume(returning: ended) }
        }
    }

    /// Sends a signal to the child's whole process group; does nothing once the child has been reaped.
    public func signal(_ number: Int32) {
        state.withLock { state in
            if state.exit == nil { _ = kill(-pid, number) }
        }
    }

    /// Queues bytes for the child's standard input (only with `keepInputOpen`).
    public func write(_ bytes: [UInt8]) {
        queue.async { self.state.withLock { $0.input }?.append(bytes) }
    }

    /// Ends the child's standard input after what has been queued.
    public func closeInput() {
        queue.async { self.state.withLock { $0.input }?.finish() }
    }

    // MARK: Events

    private func watch(pidfd: Int32, outputs: [(fd: Int32, handler: OutputHandler)]) {
        var sources: [any DispatchSourceProtocol] = []
        for (fd, handler) in outputs {
            _ = fcntl(fd, F_SETFL, O_NONBLOCK)
            let source = DispatchSource.makeReadSource(fileDescriptor: fd, queue: queue)
            source.setEventHandler { Self.drain(fd, source, handler) }
            source.setCancelHandler {
                close(fd)
                self.outputClosed()
            }
            sources.append(source)
        }
        let end = DispatchSource.makeReadSource(fileDescriptor: pidfd, queue: queue)
        end.setEventHandler {
            var code: Int32 = 0
            var number: Int32 = 0
            guard assay_reap(pidfd, &code, &number) != -EAGAIN else { return }
            end.cancel()
            self.reaped(number == 0 ? .code(code) : .signal(number))
        }
        end.setCancelHandler { close(pidfd) }
        sources.append(end)
        state.withLock { $0.sources = sources }
        sources.forEach { $0.activate() }
    }

    private static func drain(_ fd: Int32, _ source: any DispatchSourceRead, _ handler: OutputHandler) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        // A few reads, then back to the queue: a child that writes without end must not starve the deadline.
        for _ in 0..<16 {
            let count = read(fd, &buffer, buffer.count)
            if count > 0 {
                handler(Array(buffer[..<count]))
            } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
                source.cancel()
                return
            } else {
                return
            }
        }
    }

    private func reaped(_ exit: Exit) {
        state.withLock { state in
            state.exit = exit
            state.input?.abandon()
            guard state.openOutputs > 0 else { return }
            let timer = DispatchSource.makeTimerSource(queue: queue)
            timer.schedule(deadline: .now() + 2)
            timer.setEventHandler { self.state.withLock { $0.sources }.forEach { $0.cancel() } }
            timer.activate()
            state.grace = timer
        }
        tellEnd()
    }

    private func outputClosed() {
        state.withLock { $0.openOutputs -= 1 }
        tellEnd()
    }

    private func tellEnd() {
        let (exit, waiters) = state.withLock { state -> (Exit?, [CheckedContinuation<Exit, Never>]) in
            guard let exit = state.ended else { return (nil, []) }
            state.grace?.cancel()
            state.grace = nil
            state.sources = []
            defer { state.waiters = [] }
            return (exit, state.waiters)
        }
        if let exit { waiters.forEach { $0.resume(returning: exit) } }
    }

    private func feed(_ fd: Int32, _ bytes: [UInt8], keepOpen: Bool) {
        let writer = InputWriter(fd, queue)
        state.withLock { $0.input = writer }
        queue.async {
            if !bytes.isEmpty { writer.append(bytes) }
            if !keepOpen { writer.finish() }
        }
    }
}

private func spawn(
    _ command: Command, path: String, stdin: Int32, stdout: Int32, stderr: Int32, pidfd: inout Int32
) -> Int32 {
    let environment: [String: String]
    switch command.environment {
    case .inherit: environment = currentEnvironment()
    case .inheriting(let adding, let removing):
        environment = currentEnvironment().filter { !removing.contains($0.key) }.merging(adding) { $1 }
    case .exact(let exact): environment = exact
    }
    return withCStrings([command.executable] + command.arguments) { argv in
        withCStrings(environment.map { "\($0.key)=\($0.value)" }) { envp in
            path.withCString { path in
                func run(_ directory: UnsafePointer<CChar>?) -> Int32 {
                    var request = assay_spawn_request(
                        path: path, argv: argv, envp: envp, working_directory: directory, stdin_fd: stdin,
                        stdout_fd: stdout, stderr_fd: stderr)
                    return assay_spawn(&request, &pidfd)
                }
                if let directory = command.workingDirectory { return directory.withCString { run($0) } }
                return run(nil)
            }
        }
    }
}

/// A null-terminated array of C strings, alive during the call.
private func withCStrings<R>(_ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R) -> R {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
    pointers.append(nil)
    defer { pointers.forEach { free($0) } }
    return pointers.withUnsafeBufferPointer { buffer in
        // Not empty: it ends with the null.
        buffer.baseAddress.map(body) ?? body(UnsafePointer(bitPattern: MemoryLayout<Int>.alignment).unsafelyUnwrapped)
    }
}
