import Base

/// Writes a tree as a stream. Does no I/O: each call returns the bytes to write next.
public struct TreeStreamEncoder: Sendable {
    private var rule: TreeStreamRule
    private var hash = SHA256()
    /// Bytes that the present file still lacks.
    private var left = 0

    public init(limits: TreeStream.Limits = TreeStream.Limits()) { rule = TreeStreamRule(limits) }

    /// The first bytes of the stream.
    public mutating func begin() -> [UInt8] { absorb(TreeStream.magic) }

    /// The beginning of an entry. The content of a file follows with `content`.
    public mutating func entry(_ entry: TreeStream.Entry) throws(TreeStreamError) -> [UInt8] {
        guard left == 0 else { throw .malformed("a file is shorter than its size") }
        try rule.admit(entry)
        let path = Array(entry.path.joined(separator: "/").utf8)
        let (kind, size, content): (Character, Int, [UInt8]) =
            switch entry.kind {
            case .directory: ("d", 0, [])
            case .file(let executable, let size): (executable ? "x" : "f", size, [])
            case .link(let target): ("l", target.utf8.count, Array(target.utf8))
            }
        if case .file = entry.kind { left = size }
        var bytes = [kind.asciiValue ?? 0, UInt8(path.count >> 8), UInt8(path.count & 255)]
        for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: size >> shift)) }
        return absorb(bytes + path + content)
    }

    /// A piece of the content of the present file.
    public mutating func content(_ bytes: ArraySlice<UInt8>) throws(TreeStreamError) -> ArraySlice<UInt8> {
        guard bytes.count <= left else { throw .malformed("a file is longer than its size") }
        left -= bytes.count
        hash.update(bytes)
        return bytes
    }

    /// The last bytes of the stream.
    public mutating func end() throws(TreeStreamError) -> [UInt8] {
        guard left == 0 else { throw .malformed("a file is shorter than its size") }
        return absorb([UInt8(ascii: "e")]) + hash.finalize()
    }

    private mutating func absorb(_ bytes: [UInt8]) -> [UInt8] {
        hash.update(bytes)
        return bytes
    }
}
