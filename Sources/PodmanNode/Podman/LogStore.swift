import Base
import Glibc
import KubeCore

/// The logs of the node's containers: one file for each instance of a container, in the format of the CRI (`time stream flag text`). They are
/// kept until the pod is deleted.
struct LogStore: Sendable {
    let directories: NodeDirectories

    /// The size at which conmon truncates a log, which loses the beginning, so that a container cannot fill the disk.
    static let maximumBytes = 256 << 20

    func directory(uid: String, container: String) -> String { "\(directories.pod(uid))/logs/\(container)" }
    func path(uid: String, container: String, instance: Int) -> String { "\(directory(uid: uid, container: container))/\(instance).log" }

    /// The instances that have a log, oldest first.
    func instances(uid: String, container: String) -> [Int] {
        (Directory.names(in: directory(uid: uid, container: container)) ?? [])
            .compactMap { name in name.hasSuffix(".log") ? Int(name.dropLast(4)) : nil }.sorted()
    }

    /// The end of a container's log, for a termination message: at most 80 lines and 2048 bytes, as the kubelet does.
    func tail(uid: String, container: String, instance: Int) -> String {
        guard let reader = LogFileReader(path: path(uid: uid, container: container, instance: instance)) else { return "" }
        reader.seekBack(from: 256 << 10)
        var decoder = LogDecoder(timestamps: false, since: nil)
        var text: [UInt8] = []
        while let chunk = reader.next() { text.append(contentsOf: decoder.decode(chunk)) }
        text = Array(text.suffix(2048))
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        return String(decoding: Array(lines.suffix(81).joined(separator: [UInt8(ascii: "\n")])), as: UTF8.self)
    }

    /// The log as a stream that is read only as fast as it is consumed, so that a slow reader causes no growth of memory.
    /// - Parameter isOver: tells whether the container has ended; called while following.
    func stream(path: String, options: LogOptions, time: any TimeSource, isOver: @escaping @Sendable () async -> Bool) -> AsyncThrowingStream<
        [UInt8], any Error
    > {
        var since = options.sinceTime.flatMap(Timestamp.init(rfc3339:))
        if let seconds = options.sinceSeconds { since = time.now().adding(seconds: -Double(seconds)) }
        let session = LogSession(path: path, options: options, since: since, time: time, isOver: isOver)
        return AsyncThrowingStream { try await session.next() }
    }
}

/// One reader of a log.
private actor LogSession {
    private let path: String
    private let options: LogOptions
    private let time: any TimeSource
    private let isOver: @Sendable () async -> Bool
    private var decoder: LogDecoder
    private var reader: LogFileReader?
    private var sent = 0
    private var over = false

    init(path: String, options: LogOptions, since: Timestamp?, time: any TimeSource, isOver: @escaping @Sendable () async -> Bool) {
        self.path = path
        self.options = options
        self.time = time
        self.isOver = isOver
        decoder = LogDecoder(timestamps: options.timestamps, since: since)
    }

    func next() async throws -> [UInt8]? {
        while true {
            try Task.checkCancellation()
            if let limit = options.limitBytes, sent >= limit { return nil }
            if reader == nil { reader = open() }
            if let chunk = reader?.next() {
                var out = decoder.decode(chunk)
                if out.isEmpty { continue }
                if let limit = options.limitBytes { out = Array(out.prefix(limit - sent)) }
                sent += out.count
                return out
            }
            guard options.follow, !over else { return nil }
            // Asked before the last read of the file, so that everything written before the end is sent.
            over = await isOver()
            if !over { try await time.sleep(seconds: 0.1) }
        }
    }

    private func open() -> LogFileReader? {
        guard let reader = LogFileReader(path: path) else { return nil }
        if let lines = options.tailLines { reader.seek(toLast: max(lines, 0)) }
        return reader
    }
}

/// Reads a log file from a position on; `next` returns nil at the current end of the file.
final class LogFileReader {
    private let fd: Int32
    private var buffer = [UInt8](repeating: 0, count: 256 << 10)

    init?(path: String) {
        fd = open(path, O_RDONLY | O_CLOEXEC)
        if fd < 0 { return nil }
    }

    deinit { close(fd) }

    func next() -> ArraySlice<UInt8>? {
        let count = read(fd, &buffer, buffer.count)
        return count > 0 ? buffer[..<count] : nil
    }

    /// Moves to the first line that begins within the last `bytes` bytes.
    func seekBack(from bytes: Int) {
        let end = lseek(fd, 0, SEEK_END)
        let start = max(0, Int(end) - bytes)
        lseek(fd, off_t(start), SEEK_SET)
        guard start > 0, let chunk = next(), let newline = chunk.firstIndex(of: UInt8(ascii: "\n")) else { return }
        lseek(fd, off_t(start + newline + 1), SEEK_SET)
    }

    /// Moves to the start of the last `lines` whole lines of the container, each of which may be several lines of the file.
    func seek(toLast lines: Int) {
        var ends: [Int] = []
        var offset = 0
        var lineStart = 0
        var head: [UInt8] = []
        while let chunk = next() {
            for byte in chunk {
                offset += 1
                if byte == UInt8(ascii: "\n") {
                    if LogDecoder.isWhole(head) { ends.append(offset) }
                    head.removeAll(keepingCapacity: true)
                    lineStart = offset
                } else if offset - lineStart <= 64 {
                    head.append(byte)
                }
            }
            if ends.count > 2 * lines + 4096 { ends.removeFirst(ends.count - lines - 1) }
        }
        let skip = ends.count - lines
        lseek(fd, skip > 0 ? off_t(ends[skip - 1]) : 0, SEEK_SET)
    }
}

/// Removes the CRI's prefix of each line: `2026-01-02T03:04:05.678901234+00:00 stdout F text`. Chunks may end in the middle of a line.
struct LogDecoder: Sendable {
    private let timestamps: Bool
    private let since: Timestamp?
    private var rest: [UInt8] = []
    private var atLineStart = true
    private var skipping = false

    init(timestamps: Bool, since: Timestamp?) {
        self.timestamps = timestamps
        self.since = since
    }

    /// Whether this line of the file ends a line of the container (flag `F`), from the first bytes of the line.
    static func isWhole(_ head: [UInt8]) -> Bool {
        let parts = head.split(separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
        return parts.count < 3 || parts[2].first != UInt8(ascii: "P")
    }

    mutating func decode(_ chunk: ArraySlice<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(chunk.count)
        var at = chunk.startIndex
        if !rest.isEmpty {
            guard let newline = chunk.firstIndex(of: newlineByte) else {
                rest.append(contentsOf: chunk)
                return out
            }
            rest.append(contentsOf: chunk[at..<newline])
            let line = rest
            rest.removeAll(keepingCapacity: true)
            take(line[...], into: &out)
            at = newline + 1
        }
        while at < chunk.endIndex {
            guard let newline = chunk[at...].firstIndex(of: newlineByte) else {
                rest.append(contentsOf: chunk[at...])
                break
            }
            take(chunk[at..<newline], into: &out)
            at = newline + 1
        }
        return out
    }

    private let newlineByte = UInt8(ascii: "\n")
    private let space = UInt8(ascii: " ")

    private mutating func take(_ line: ArraySlice<UInt8>, into out: inout [UInt8]) {
        guard let first = line.firstIndex(of: space), let second = line[(first + 1)...].firstIndex(of: space), second + 1 < line.endIndex else {
            // The line is not in the CRI's format and is passed on unchanged.
            out.append(contentsOf: line)
            out.append(newlineByte)
            return
        }
        let whole = line[second + 1] != UInt8(ascii: "P")
        let text = line[min(second + 3, line.endIndex)...]
        if atLineStart {
            skipping = false
            if timestamps || since != nil {
                let stamp = String(decoding: line[..<first], as: UTF8.self)
                if let since, let written = Timestamp(rfc3339: stamp), written < since { skipping = true }
                if timestamps, !skipping {
                    out.append(contentsOf: (stamp.hasSuffix("+00:00") ? stamp.dropLast(6) + "Z" : stamp[...]).utf8)
                    out.append(space)
                }
            }
        }
        if !skipping {
            out.append(contentsOf: text)
            if whole { out.append(newlineByte) }
        }
        atLineStart = whole
    }
}
