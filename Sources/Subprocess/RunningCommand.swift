import Base
import CShims
import Glibc

/// A started child: its output as it comes, signals, its end.
///
/// Each child has a thread of its own that does nothing but wait in poll(2): for output, for room in its standard input,
/// for its end, for its deadline. Children are few and short; a thread is simpler than a reactor, and blocks nobody.
public final class RunningCommand: Sendable {
    public typealias OutputHandler = @Sendable ([UInt8]) -> Void

    public let pid: Int32
    private let state = Locked(State())

    fileprivate struct State {
        var exit: Exit?
        /// The child has been reaped and its output handed over.
        var isOver = false
        var timedOut = false
        var waiters: [CheckedContinuation<Exit, Never>] = []
        /// What `write` has queued; the thread is woken through the pipe.
        var queued: [UInt8] = []
        var inputEnds = true
        var wake: Int32 = -1
    }

    /// Starts the child. `onStdout` and `onStderr` are called in order, from one thread; without a handler the stream goes to
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
        // Not a loop over both: Swift 6.3.1 optimises one over an array literal of optional closures into a release too many.
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

        let pid = spawn(command, path: path, stdin: stdinFD, stdout: stdoutFD, stderr: stderrFD, pidfd: &loop.pidfd)
        if pid < 0 { throw fail(-pid) }
        childEnds.forEach { close($0) }

        let running = RunningCommand(pid: pid)
        running.state.withLock { state in
            state.wake = wake.write
            state.inputEnds = !keepInputOpen
        }
        loop.deadline = command.deadlineSeconds.map { SystemTime().monotonic() + $0 }
        guard running.begin(loop) else {
            // No room for another thread: without one nobody would learn of the child's end.
            _ = kill(-pid, SIGKILL)
            loop.abandon()
            close(wake.write)
            throw .spawnFailed(command.executable, errno: EAGAIN)
        }
        return running
    }

    private init(pid: Int32) { self.pid = pid }

    /// Returns when the child has ended and its output has been handed over. A grandchild that keeps the output open
    /// is waited for at most two seconds after the child's end, then its output is cut off.
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

    /// Whether the command's deadline passed, and the group was killed for it.
    public var timedOut: Bool { state.withLock { $0.timedOut } }

    /// Sends a signal to the child's whole process group; does nothing once the child has been reaped.
    public func signal(_ number: Int32) {
        state.withLock { state in
            if state.exit == nil { _ = kill(-pid, number) }
        }
    }

    /// Queues bytes for the child's standard input (only with `keepInputOpen`).
    public func write(_ bytes: [UInt8]) {
        state.withLock { state in
            guard !state.inputEnds else { return }
            state.queued += bytes
            state.nudge()
        }
    }

    /// Ends the child's standard input after what has been queued.
    public func closeInput() {
        state.withLock { state in
            state.inputEnds = true
            state.nudge()
        }
    }

    // MARK: The thread

    /// What one child needs of its thread.
    private final class Work: Sendable {
        let running: RunningCommand
        let loop: ChildLoop

        init(_ running: RunningCommand, _ loop: ChildLoop) {
            self.running = running
            self.loop = loop
        }
    }

    /// False when no thread can be had.
    private func begin(_ loop: ChildLoop) -> Bool {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, 256 << 10)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Work(self, loop))
        let code = pthread_create(&thread, &attributes, { context in
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
    /// Wakes the thread; a full pipe has woken it already.
    fileprivate func nudge() {
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
