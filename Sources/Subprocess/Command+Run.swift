import Base
import Glibc

extension Command {
    /// Runs the command to its end and returns its output. The caller must check the exit status.
    ///
    /// When the task is cancelled the whole process group is killed. `CancellationError` is thrown after it has ended.
    public func run() async throws -> CommandResult {
        let out = Collected(limit: outputLimit)
        let err = Collected(limit: outputLimit)
        try Task.checkCancellation()
        let running = try RunningCommand.start(self, onStdout: out.append, onStderr: err.append)
        let exit = await withTaskCancellationHandler {
            await running.wait()
        } onCancel: {
            running.signal(SIGKILL)
        }
        try Task.checkCancellation()
        let (stdout, outCut) = out.take()
        let (stderr, errCut) = err.take()
        return CommandResult(
            exit: exit, stdout: stdout, stderr: stderr, timedOut: running.timedOut, truncated: outCut || errCut)
    }
}

private final class Collected: Sendable {
    private let limit: Int
    private let state = Locked((bytes: [UInt8](), cut: false))

    init(limit: Int) { self.limit = limit }

    @Sendable func append(_ chunk: [UInt8]) {
        state.withLock { state in
            let room = limit - state.bytes.count
            state.bytes.append(contentsOf: chunk.prefix(max(0, room)))
            if chunk.count > room { state.cut = true }
        }
    }

    func take() -> ([UInt8], Bool) { state.withLock { ($0.bytes, $0.cut) } }
}
