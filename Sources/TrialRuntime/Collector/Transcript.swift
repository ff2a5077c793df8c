import Base
import Glibc

/// Makes the transcript of a trial's session, one JSON object a line.
///
/// The agent's own transcript is used unchanged if the agent wrote one; otherwise it is made from the agent's trajectory, step by step;
/// otherwise from what the agent printed. So every run in which an agent ran has a transcript. It is made of redacted copies. Printed output is
/// read in pieces, so the use of memory does not grow with its length.
struct Transcript: Sendable {
    static let name = "transcript.jsonl"
    static let schemaVersion = 1

    /// What a transcript was made of; also written to `collected.json`.
    enum Source: String, Sendable {
        /// `/logs/agent/transcript.jsonl`, byte for byte.
        case agent
        case trajectory
        case output
    }

    struct Made: Sendable {
        var source: Source
        /// The length of the file that was written; nil when the agent's own transcript is used.
        var bytes: Int?
    }

    /// A text of more bytes than this is divided over several lines.
    private static let pieceLength = 16 << 10
    /// A longer line of the agent's output is written as text, even if it is JSON.
    private static let longestObject = 1 << 20

    let limits: CollectorLimits

    /// Makes the transcript; nil when no agent ran.
    func derive(
        own: OutputPack.Entry?, trajectory: Trajectory?, stdout: OutputPack.Entry?, stderr: OutputPack.Entry?, to target: String
    ) throws(PackStore.Failure) -> Made? {
        if let own, own.size > 0 { return Made(source: .agent) }
        if let trajectory {
            var file = try LineFile(target)
            // A transcript of a real trajectory is about as long as the trajectory; one of a made-up trajectory could be many times longer,
            // hence the limit.
            try trajectory.writeTranscript(to: &file, limit: 2 * limits.trajectory)
            return Made(source: .trajectory, bytes: try file.finish())
        }
        // The runner creates both files before it runs the agent.
        guard stdout != nil || stderr != nil else { return nil }
        var file = try LineFile(target)
        try file.write(["type": "session", "schemaVersion": JSONValue(Self.schemaVersion), "source": "output"])
        for (name, entry) in [("stdout", stdout), ("stderr", stderr)] {
            if let entry { try write(entry, as: name, to: &file) }
        }
        return Made(source: .output, bytes: try file.finish())
    }

    // MARK: Output

    private func write(_ entry: OutputPack.Entry, as stream: String, to file: inout LineFile) throws(PackStore.Failure) {
        let fd = open(entry.copy, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw PackStore.Failure(description: "cannot read \(entry.copy): \(String(cString: strerror(errno)))") }
        defer { close(fd) }
        var info = stat()
        let size = fstat(fd, &info) == 0 ? Int(info.st_size) : 0
        var writer = LineWriter(stream: stream, file: file)
        defer { file = writer.file }
        guard size > limits.transcript else {
            try writer.write(fd, 0..<size)
            return
        }
        let half = limits.transcript / 2
        let head = try writer.write(fd, 0..<half, wholeLinesOnly: true)
        let tail = FileReading.lineStart(fd, from: size - half, to: size)
        var cut: JSONValue = ["type": "cut", "stream": .string(stream), "bytes": JSONValue(tail - head)]
        cut["text"] = .string("[assay: \(tail - head) of \(size) bytes left out here; logs/command/\(stream).txt has what was kept of them]")
        try writer.file.write(cut)
        try writer.write(fd, tail..<size)
    }

    /// Writes lines of output to the transcript: a JSON object unchanged, other lines as text, several to one transcript line.
    private struct LineWriter {
        let stream: String
        var file: LineFile
        private var text: [UInt8] = []
        private var line: [UInt8] = []

        init(stream: String, file: LineFile) {
            self.stream = stream
            self.file = file
        }

        /// Returns the position up to which it read. When only whole lines are wanted, it stops before a line that would not fit.
        @discardableResult
        mutating func write(_ fd: Int32, _ range: Range<Int>, wholeLinesOnly: Bool = false) throws(PackStore.Failure) -> Int {
            var offset = range.lowerBound
            var written = offset
            while offset < range.upperBound {
                guard let chunk = FileReading.piece(fd, at: offset, count: min(1 << 16, range.upperBound - offset)) else { break }
                offset += chunk.count
                var rest = chunk[...]
                while let end = rest.firstIndex(of: 0x0A) {
                    line.append(contentsOf: rest[rest.startIndex...end])
                    written += line.count
                    try endLine()
                    rest = rest[(end + 1)...]
                }
                line.append(contentsOf: rest)
                if line.count > Transcript.longestObject {
                    written += line.count
                    try endLine()
                }
            }
            if !line.isEmpty {
                // A first line that is longer than the range is written in part.
                if !wholeLinesOnly || written == range.lowerBound {
                    written += line.count
                    try endLine()
                }
                line.removeAll()
            }
            try flush()
            return written
        }

        private mutating func endLine() throws(PackStore.Failure) {
            defer { line.removeAll(keepingCapacity: true) }
            if let object = Self.object(line) {
                try flush()
                return try file.write(raw: object)
            }
            if text.count + line.count > Transcript.pieceLength { try flush() }
            text.append(contentsOf: line)
            while text.count > Transcript.pieceLength {
                let end = Self.boundary(text, before: Transcript.pieceLength)
                try writeText(text[..<end])
                text.removeFirst(end)
            }
        }

        private mutating func flush() throws(PackStore.Failure) {
            if !text.isEmpty { try writeText(text[...]) }
            text.removeAll(keepingCapacity: true)
        }

        private mutating func writeText(_ bytes: ArraySlice<UInt8>) throws(PackStore.Failure) {
            try file.write(["type": "output", "stream": .string(stream), "text": .string(String(decoding: bytes, as: UTF8.self))])
        }

        /// The JSON object in a line without the blanks around it; nil when the line is no object.
        private static func object(_ line: [UInt8]) -> ArraySlice<UInt8>? {
            guard line.count <= Transcript.longestObject, let first = line.firstIndex(where: { !isBlank($0) }), line[first] == UInt8(ascii: "{"),
                let last = line.lastIndex(where: { !isBlank($0) }), line[last] == UInt8(ascii: "}"),
                let value = try? JSONValue(parsing: line[first...last]), value.object != nil
            else { return nil }
            return line[first...last]
        }

        private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

        /// The largest cut position up to `limit` that does not divide a character: the position of a character's first byte.
        private static func boundary(_ text: [UInt8], before limit: Int) -> Int {
            var end = limit
            while end > limit - 4, text[end] & 0xC0 == 0x80 { end -= 1 }
            return end
        }
    }
}

/// A file of JSON lines that is written through a buffer.
struct LineFile {
    private let path: String
    private let fd: Int32
    private var buffer: [UInt8] = []
    private var written = 0
    /// How many bytes of lines have been added so far.
    var length: Int { written + buffer.count }

    init(_ path: String) throws(PackStore.Failure) {
        self.path = path
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw PackStore.Failure(description: "cannot write \(path): \(String(cString: strerror(errno)))") }
    }

    mutating func write(_ line: JSONValue) throws(PackStore.Failure) { try write(raw: line.serialized()[...]) }

    mutating func write(raw line: ArraySlice<UInt8>) throws(PackStore.Failure) {
        buffer.append(contentsOf: line)
        buffer.append(0x0A)
        if buffer.count >= 1 << 18 { try flush() }
    }

    /// Closes the file; returns its length. A file that is not finished is closed when the process ends, which is soon.
    mutating func finish() throws(PackStore.Failure) -> Int {
        try flush()
        close(fd)
        return written
    }

    private mutating func flush() throws(PackStore.Failure) {
        do throws(FileError) { try FileWriting.write(buffer, to: fd, path: path) } catch { throw PackStore.Failure(description: error.description) }
        written += buffer.count
        buffer.removeAll(keepingCapacity: true)
    }
}
