import Base
import Glibc
import Subprocess

/// A commit as a listing needs it; no tree or file was read for it.
public struct LoggedCommit: Sendable, Hashable {
    public let id: GitObjectID
    /// The committer's date.
    public let date: Timestamp
    /// Subject, body and trailers, as they were written.
    public let message: [UInt8]

    public init(id: GitObjectID, date: Timestamp, message: [UInt8]) {
        self.id = id
        self.date = date
        self.message = message
    }
}

extension GitClient {
    /// Hands over the commits that a tip leads to, newest first, through one `git log`; needs commits only.
    ///
    /// `receive` is called on git's queue; when it returns false the reading ends.
    public func log(
        _ tip: GitObjectID, in repository: String, remote: Remote? = nil, receive: @escaping @Sendable (LoggedCommit) -> Bool
    ) async throws(GitError) {
        let call = Call(
            arguments: ["log", "-z", "--no-show-signature", "--no-notes", "--no-color", "--encoding=UTF-8", "--format=%H%n%ct%n%B", tip.hex, "--"],
            repository: repository, remote: remote, environment: ["GIT_NO_REPLACE_OBJECTS": "1"], doing: "read the history of",
            place: remote?.url.text ?? repository)
        let state = Locked((rest: [UInt8](), ended: false))
        let errors = Locked([UInt8]())
        let stopper = Locked<RunningCommand?>(nil)
        let running: RunningCommand
        do {
            running = try RunningCommand.start(
                command(call),
                onStdout: { chunk in
                    let ended = state.withLock { state -> Bool in
                        guard !state.ended else { return false }
                        state.rest += chunk
                        state.ended = !Self.records(&state.rest, receive)
                        return state.ended
                    }
                    if ended { stopper.withLock { $0 }?.signal(SIGKILL) }
                },
                onStderr: { chunk in errors.withLock { if $0.count < 1 << 16 { $0 += chunk } } })
        } catch {
            throw Self.startFailure(error, doing: call.doing)
        }
        stopper.withLock { $0 = running }
        if state.withLock({ $0.ended }) { running.signal(SIGKILL) }
        let exit = await withTaskCancellationHandler {
            await running.wait()
        } onCancel: {
            running.signal(SIGKILL)
        }
        if state.withLock({ $0.ended }) { return }
        if Task.isCancelled { throw GitError(.cancelled, "cannot \(call.doing): cancelled") }
        guard exit.isSuccess else {
            throw GitFailure.classify(
                stderr: errors.withLock { String(decoding: $0, as: UTF8.self) }, exit: "\(exit)", timedOut: false, doing: call.doing,
                place: call.place ?? repository)
        }
        state.withLock { state in
            if !state.rest.isEmpty, let commit = Self.record(state.rest[...]) { _ = receive(commit) }
        }
    }

    /// Takes the whole records off the front; false when the receiver wants no more.
    private static func records(_ bytes: inout [UInt8], _ receive: (LoggedCommit) -> Bool) -> Bool {
        var start = bytes.startIndex
        while let end = bytes[start...].firstIndex(of: 0) {
            if let commit = record(bytes[start..<end]), !receive(commit) { return false }
            start = end + 1
        }
        bytes.removeSubrange(..<start)
        return true
    }

    private static func record(_ bytes: ArraySlice<UInt8>) -> LoggedCommit? {
        guard let first = bytes.firstIndex(of: 10), let second = bytes[(first + 1)...].firstIndex(of: 10),
            let id = GitObjectID(String(decoding: bytes[..<first], as: UTF8.self)),
            let seconds = Int64(String(decoding: bytes[(first + 1)..<second], as: UTF8.self))
        else { return nil }
        return LoggedCommit(id: id, date: Timestamp(seconds: seconds), message: Array(bytes[(second + 1)...]))
    }
}
