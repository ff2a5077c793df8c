/// Cuts a stream of bytes into lines at line feeds. Bytes, not characters: a chunk may end within one. What follows the
/// last line feed is no line.
struct LineSplitter: Sendable {
    private var partial: [UInt8] = []
    private var limit: Int

    /// Far above what the API server accepts as an object (1.5 MiB in etcd).
    static let defaultLimit = 64 << 20

    init(limit: Int = LineSplitter.defaultLimit) { self.limit = limit }

    /// The lines that this chunk completes, without line feeds; empty lines are left out.
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
