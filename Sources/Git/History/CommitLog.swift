import Base
import Glibc
import Subprocess

/// A commit as a listing needs it. No tree or file is read for it.
public struct LoggedCommit: Sendable, Hashable {
    public let id: GitObjectID
    /// The committer's date.
    public let date: Timestamp
    /// Subject, body and trailers, exactly as stored.
    public let message: [UInt8]

    public init(id: GitObjectID, date: Timestamp, message: [UInt8]) {
        self.id = id
        self.date = date
        self.message = message
    }

    init(_ view: CommitView) {
        self.init(id: view.id, date: view.date, message: [UInt8](view.message))
    }
}

/// A commit as the bytes that git printed. Valid only during the call that receives it, so that reading a history of 100,000 commits copies
/// no messages.
public struct CommitView {
    private let digits: UnsafeRawBufferPointer
    /// The committer's date.
    public let date: Timestamp
    /// Subject, body and trailers, exactly as stored.
    public let message: UnsafeRawBufferPointer

    /// Parses `<id>\n<seconds>\n<message>`; nil for any other form.
    init?(record: UnsafeRawBufferPointer) {
        guard let first = record.offset(of: 10, from: 0), first == 40 || first == 64, let second = record.offset(of: 10, from: first + 1),
            second > first + 1, let base = record.baseAddress
        else { return nil }
        // The digits end at a line break inside the record.
        var end: UnsafeMutablePointer<CChar>?
        let seconds = strtoll(base.advanced(by: first + 1).assumingMemoryBound(to: CChar.self), &end, 10)
        guard let end, UnsafeRawPointer(end) == base.advanced(by: second) else { return nil }
        digits = UnsafeRawBufferPointer(rebasing: record[..<first])
        date = Timestamp(seconds: Int64(seconds))
        message = UnsafeRawBufferPointer(rebasing: record[(second + 1)...])
    }

    public var id: GitObjectID { GitObjectID(printed: digits) }
}

extension UnsafeRawBufferPointer {
    /// Finds a byte with the C library, because that is fast in unoptimised builds, too.
    public func offset(of byte: UInt8, from start: Int) -> Int? {
        guard start < count, let base = baseAddress, let found = memchr(base.advanced(by: start), Int32(byte), count - start) else { return nil }
        return UnsafeRawPointer(found) - base
    }
}

extension GitClient {
    /// Passes the commits reachable from a tip to `receive`, newest first, through one `git log`. Only commits are needed.
    ///
    /// `receive` is called on git's queue. The reading ends when it returns false.
    public func log(
        _ tip: GitObjectID, in repository: String, remote: Remote? = nil, receive: @escaping @Sendable (LoggedCommit) -> Bool
    ) async throws(GitError) {
        try await history(tip, in: repository, remote: remote) { receive(LoggedCommit($0)) }
    }

    /// The same as `log` without copying. The value that `receive` gets is valid only until it returns.
    public func history(
        _ tip: GitObjectID, in repository: String, remote: Remote? = nil, receive: @escaping @Sendable (CommitView) -> Bool
    ) async throws(GitError) {
        let call = Call(
            arguments: ["log", "-z", "--no-show-signature", "--no-notes", "--no-color", "--encoding=UTF-8", "--format=%H%n%ct%n%B", tip.hex, "--"],
            repository: repository, remote: remote, environment: ["GIT_NO_REPLACE_OBJECTS": "1"], doing: "read the history of",
            place: remote?.url.text ?? repository)
        try await records(of: call, endingIn: 0) { record in CommitView(record: record).map(receive) ?? true }
    }

    /// Runs git and passes its output to `receive`, one record at a time. When `receive` returns false, git is stopped.
    func records(
        of call: Call, endingIn separator: UInt8, receive: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool
    ) async throws(GitError) {
        let splitter = Locked(RecordSplitter(separator: separator))
        let errors = Locked([UInt8]())
        let stopper = Locked<RunningCommand?>(nil)
        let running: RunningCommand
        do {
            running = try RunningCommand.start(
                command(call),
                onStdout: { chunk in
                    if splitter.withLock({ $0.feed(chunk, receive) }) { stopper.withLock { $0 }?.signal(SIGKILL) }
                },
                onStderr: { chunk in errors.withLock { if $0.count < 1 << 16 { $0 += chunk } } })
        } catch {
            throw Self.startFailure(error, call)
        }
        stopper.withLock { $0 = running }
        if splitter.withLock({ $0.ended }) { running.signal(SIGKILL) }
        let exit = await withTaskCancellationHandler {
            await running.wait()
        } onCancel: {
            running.signal(SIGKILL)
        }
        if splitter.withLock({ $0.ended }) { return }
        if Task.isCancelled { throw GitError(.cancelled, "cannot \(call.doing): cancelled") }
        guard exit.isSuccess else {
            throw GitFailure.classify(
                stderr: errors.withLock { String(decoding: $0, as: UTF8.self) }, exit: "\(exit)", timedOut: running.timedOut, doing: call.doing,
                place: call.place ?? call.repository ?? "")
        }
        splitter.withLock { $0.finish(receive) }
    }
}

/// Splits a stream of bytes into records that end with a separator.
struct RecordSplitter: Sendable {
    let separator: UInt8
    private var rest: [UInt8] = []
    /// Whether the receiver asked to stop.
    private(set) var ended = false

    init(separator: UInt8) { self.separator = separator }

    /// Returns true once, when the receiver asks to stop.
    mutating func feed(_ chunk: [UInt8], _ receive: (UnsafeRawBufferPointer) -> Bool) -> Bool {
        guard !ended else { return false }
        chunk.withUnsafeBytes { chunk in
            var start = 0
            if !rest.isEmpty {
                guard let end = chunk.offset(of: separator, from: 0) else {
                    rest.append(contentsOf: chunk)
                    return
                }
                rest.append(contentsOf: chunk[..<end])
                ended = !rest.withUnsafeBytes(receive)
                rest.removeAll(keepingCapacity: true)
                start = end + 1
            }
            while !ended, let end = chunk.offset(of: separator, from: start) {
                ended = !receive(UnsafeRawBufferPointer(rebasing: chunk[start..<end]))
                start = end + 1
            }
            if !ended, start < chunk.count { rest.append(contentsOf: chunk[start...]) }
        }
        return ended
    }

    /// Passes on the bytes after the last separator.
    mutating func finish(_ receive: (UnsafeRawBufferPointer) -> Bool) {
        guard !ended, !rest.isEmpty else { return }
        _ = rest.withUnsafeBytes(receive)
        rest = []
    }
}
