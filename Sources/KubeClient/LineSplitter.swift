/// Splits a stream of bytes into lines at line feeds. It works on bytes, because a chunk may end within a character. Text after the last line feed is
/// not a line.
struct LineSplitter: Sendable {
    private var partial: [UInt8] = []
    private var limit: Int

    /// Much more than the largest object that the API server accepts (1.5 MiB in etcd).
    static let defaultLimit = 64 << 20

    init(limit: Int = LineSplitter.defaultLimit) { self.limit = limit }

    /// The lines that end in this chunk, without line feeds and without empty lines.
    mutating func append(_ chunk: [UInt8]) throws(KubeError) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var start = chunk.startIndex
        while let end = chunk[start...].firstIndex(of: 0x0A) {
            if partial.isEmpty {
                if end > start { lines.append(Array(chunk[start..<end])) }
            } else {
                partial += chunk[start..<end]
                lines.append(partial)
                partial = []
            }
            start = end + 1
        }
        partial += chunk[start...]
        guard partial.count <= limit else { throw .malformed("a watch event is longer than \(limit) bytes") }
        return lines
    }
}
