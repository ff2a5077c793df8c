import Base
import CShims
import Glibc

/// A started child: its output as it arrives, signals to it, and its end.
///
/// Each child has its own thread, which only waits in poll(2): for output, for room in the child's standard input, for its end
/// and for its deadline. Children are few and short-lived, and a thread is simpler than an event loop.
public final class RunningCommand: Sendable {
    public typealias OutputHandler = @Sendable ([UInt8]) -> Void

    public let pid: Int32
    private let state = Locked(State())

    fileprivate struct State {
        var exit: Exit?
        /// The child has been reaped and its output delivered.
        var isOver = false
        var timedOut = false
        var waiters: [CheckedContinuation<Exit, Never>] = []
        /// Input from `write` that is not sent yet; the thread is woken through the pipe.
        var queued: [UInt8] = []
        var inputEnds = true
        var wake: Int32 = -1
    }

    /// Starts the child. `onStdout` and `onStderr` are called in order, from one thread; a stream without a handler goes to
    /// /dev/null. With `keepInputOpen` the standard input stays open for `write` until `closeInput`.
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

        var loop = ChildLoop()
        var stdinFD: Int32 = -1
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
            loop.input = pipe.write
            if case .bytes(let bytes) = command.standardInput { loop.pending = bytes[...] }
        }
        // Not a loop over both handlers: Swift 6.3.1 miscompiles a loop over an array literal of optional closures (one release
        // too many).
        func capture(_ handler: OutputHandler?) throws(SubprocessError) -> Int32 {
            guard let handler else { return -1 }
            guard let pipe = makePipe() else { throw fail(errno) }
            childEnds.append(pipe.write)
            ownEnds.append(pipe.read)
            loop.outputs.append((pipe.read, handler))
            return pipe.write
        }
        let stdoutFD = try capture(onStdout)
        let stderrFD = try capture(onStderr)
        guard let wake = makePipe() else { throw fail(errno) }
        ownEnds += [wake.read, wake.write]
        loop.wake = wake.read

        var pid = spawn(command, path: path, stdin: stdinFD, stdout: stdoutFD, stderr: stderrFD, pidfd: &loop.pidfd)
        // A program that was just written can still be open for writing in a child of another thread, until that child's own exec. It
        // passes within milliseconds.
        for _ in 0..<20 where pid == -ETXTBSY {
            usleep(5000)
            pid = spawn(command, path: path, stdin: stdinFD, stdout: stdoutFD, stderr: stderrFD, pidfd: &loop.pidfd)
        }
        if pid < 0 { throw fail(-pid) }
        childEnds.forEach { close($0) }

        let running = RunningCommand(pid: pid)
        running.state.withLock { state in
            state.wake = wake.write
            state.inputEnds = !keepInputOpen
        }
        loop.deadline = command.deadlineSeconds.map { SystemTime().monotonic() + $0 }
        guard running.begin(loop) else {
            // No further thread can be created, and without one nobody would notice the child's end.
            _ = kill(-pid, SIGKILL)
            loop.abandon()
            close(wake.write)
            throw .spawnFailed(command.executable, errno: EAGAIN)
        }
        return running
    }

    private init(pid: Int32) { self.pid = pid }

    /// Returns when the child has ended and its output has been delivered. If a grandchild keeps the output open, reading stops
    /// at most two seconds after the child's end.
    public func wait() async -> Exit {
        await withCheckedContinuation { continuation in
            let ended = state.withLock { state -> Exit? in
                if state.isOver, let exit = state.exit { return exit }
                state.waiters.append(continuation)
                return nil
            }
            if let ended { continuation.resume(returning: ended) }
        }
    }

    /// Whether the group was killed because the deadline passed.
    public var timedOut: Bool { state.withLock { $0.timedOut } }

    /// Sends a signal to the child's whole process group; does nothing once the child has been reaped.
    public func signal(_ number: Int32) { beforeReaping { _ = kill(-$0, number) } }

    /// Calls the closure with the child's process id, which no other process can have meanwhile. Does nothing once the child has been reaped.
    public func beforeReaping(_ body: (pid_t) -> Void) {
        state.withLock { state in
            if state.exit == nil { body(pid) }
        }
    }

    /// Queues bytes for the child's standard input (only with `keepInputOpen`).
    public func write(_ bytes: [UInt8]) {
        state.withLock { state in
            guard !state.inputEnds else { return }
            state.queued += bytes
            state.wakeLoop()
        }
    }

    /// Closes the child's standard input after the queued bytes.
    public func closeInput() {
        state.withLock { state in
            state.inputEnds = true
            state.wakeLoop()
        }
    }

    // MARK: The thread

    /// What is passed to the child's thread.
    private final class Work: Sendable {
        let running: RunningCommand
        let loop: ChildLoop

        init(_ running: RunningCommand, _ loop: ChildLoop) {
            self.running = running
            self.loop = loop
        }
    }

    /// Returns false when no thread can be created.
    private func begin(_ loop: ChildLoop) -> Bool {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, 256 << 10)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Work(self, loop))
        let code = pthread_create(
            &thread, &attributes,
            { context in
                guard let context else { return nil }
                let work = Unmanaged<Work>.fromOpaque(context).takeRetainedValue()
                work.running.follow(work.loop)
                return nil
            }, context.toOpaque())
        if code != 0 { context.release() }
        return code == 0
    }

    private func follow(_ loop: ChildLoop) {
        var loop = loop
        loop.run(
            queued: { [self] in
                state.withLock { state in
                    defer { state.queued = [] }
                    return (state.queued, state.inputEnds)
                }
            },
            expired: { [self] in
                state.withLock { $0.timedOut = true }
                signal(SIGKILL)
            },
            reaped: { [self] exit in state.withLock { $0.exit = exit } })
        let (exit, waiters) = state.withLock { state in
            state.isOver = true
            close(state.wake)
            state.wake = -1
            defer { state.waiters = [] }
            return (state.exit, state.waiters)
        }
        if let exit { waiters.forEach { $0.resume(returning: exit) } }
    }
}

extension RunningCommand.State {
    /// Wakes the thread. When the pipe is full, the thread has already been woken.
    fileprivate func wakeLoop() {
        guard wake >= 0 else { return }
        var byte: UInt8 = 1
        _ = assay_write_nosigpipe(wake, &byte, 1)
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

/// Calls `body` with a null-terminated array of C strings, which is valid during the call.
private func withCStrings<R>(_ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R) -> R {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
    pointers.append(nil)
    defer { pointers.forEach { free($0) } }
    return pointers.withUnsafeBufferPointer { buffer in
        // The buffer is never empty, because it ends with the null.
        buffer.baseAddress.map(body) ?? body(UnsafePointer(bitPattern: MemoryLayout<Int>.alignment).unsafelyUnwrapped)
    }
}
