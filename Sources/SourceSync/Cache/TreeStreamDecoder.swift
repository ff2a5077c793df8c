import Base
import Git

/// Reads a stream of a tree from pieces of any size. Does no I/O, and keeps only the head of the entry that it reads.
///
/// What it hands over follows the rules of `TreeStream` for paths and limits, but is known to be what the server sent only after `finish`
/// has returned.
public struct TreeStreamDecoder: Sendable {
    public enum Event: Sendable, Hashable {
        /// A folder, a link, or the beginning of a file.
        case entry(TreeStream.Entry)
        /// A piece of the content of the file that began last. A file of size 0 has none.
        case content(ArraySlice<UInt8>)
    }

    /// What a complete stream held.
    public struct Summary: Sendable, Hashable {
        public var entries: Int
        /// Bytes of all files together.
        public var bytes: Int
    }

    private enum State: Sendable {
        case magic
        case head
        case name(kind: UInt8, path: Int, size: Int)
        case content(left: Int)
        case digest
        case done
        case failed(TreeStreamError)
    }

    private var state = State.magic
    private var rule: TreeStreamRule
    private var hash = SHA256()
    /// The beginning of what the state waits for.
    private var held: [UInt8] = []

    public init(limits: TreeStream.Limits = TreeStream.Limits()) { rule = TreeStreamRule(limits) }

    /// Takes the next bytes.
    ///
    /// - Throws: `TreeStreamError`, or what `receive` throws. After an error the decoder hands over nothing more.
    public mutating func feed(_ bytes: some Collection<UInt8>, _ receive: (Event) throws -> Void) throws {
        do {
            try advance(Array(bytes)[...], receive)
        } catch {
            state = .failed(error as? TreeStreamError ?? .malformed("it was not read to its end"))
            throw error
        }
    }

    /// Call at the end of the bytes.
    ///
    /// - Throws: `.truncated` when the stream is not complete.
    public func finish() throws(TreeStreamError) -> Summary {
        switch state {
        case .done: return Summary(entries: rule.entries, bytes: rule.bytes)
        case .failed(let error): throw error
        default: throw .truncated
        }
    }

    private mutating func advance(_ bytes: ArraySlice<UInt8>, _ receive: (Event) throws -> Void) throws {
        var rest = bytes
        while !rest.isEmpty {
            switch state {
            case .magic:
                guard let magic = take(TreeStream.magic.count, &rest) else { return }
                guard magic == TreeStream.magic else { throw TreeStreamError.malformed("it does not begin as one of this version") }
                hash.update(magic)
                state = .head
            case .head:
                // The end is one byte, all other heads are longer.
                let first = held.first ?? rest[rest.startIndex]
                guard let head = take(first == UInt8(ascii: "e") ? 1 : TreeStream.headBytes, &rest) else { return }
                hash.update(head)
                state = try Self.afterHead(head)
            case .name(let kind, let length, let size):
                let isLink = kind == UInt8(ascii: "l")
                guard let name = take(length + (isLink ? size : 0), &rest) else { return }
                hash.update(name)
                let entry = try Self.entry(kind, path: name[..<length], target: name[length...], size: size)
                try rule.admit(entry)
                if case .file = entry.kind, size > 0 { state = .content(left: size) } else { state = .head }
                try receive(.entry(entry))
            case .content(let left):
                let piece = rest.prefix(left)
                rest = rest.dropFirst(piece.count)
                hash.update(piece)
                state = piece.count == left ? .head : .content(left: left - piece.count)
                try receive(.content(piece))
            case .digest:
                guard let digest = take(TreeStream.digestBytes, &rest) else { return }
                guard digest == hash.finalize() else { throw TreeStreamError.digest }
                state = .done
            case .done: throw TreeStreamError.malformed("bytes follow its end")
            case .failed(let error): throw error
            }
        }
    }

    /// Takes `count` bytes, or holds what there is until there are as many.
    private mutating func take(_ count: Int, _ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        let more = rest.prefix(count - held.count)
        rest = rest.dropFirst(more.count)
        held += more
        guard held.count == count else { return nil }
        defer { held = [] }
        return held
    }

    private static func afterHead(_ head: [UInt8]) throws(TreeStreamError) -> State {
        if head.count == 1 { return .digest }
        let path = Int(head[1]) << 8 | Int(head[2])
        let size = head[3...].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard path > 0, path <= GitPath.maximumLength else { throw .malformed("a path is empty or too long") }
        guard let size = Int(exactly: size) else { throw .tooLarge("a file has \(size) bytes") }
        switch head[0] {
        case UInt8(ascii: "f"), UInt8(ascii: "x"): break
        case UInt8(ascii: "d"): guard size == 0 else { throw .malformed("a folder has a size") }
        case UInt8(ascii: "l"): guard size <= TreeStream.maximumTarget else { throw .malformed("the target of a link is too long") }
        default: throw .malformed("an entry is of no known kind")
        }
        return .name(kind: head[0], path: path, size: size)
    }

    private static func entry(
        _ kind: UInt8, path: ArraySlice<UInt8>, target: ArraySlice<UInt8>, size: Int
    ) throws(TreeStreamError) -> TreeStream.Entry {
        guard let text = String(validating: path, as: UTF8.self), let target = String(validating: target, as: UTF8.self) else {
            throw .malformed("a path or a link is not UTF-8")
        }
        // Empty names stay, so that they are refused.
        let names = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        switch kind {
        case UInt8(ascii: "d"): return .init(path: names, kind: .directory)
        case UInt8(ascii: "l"): return .init(path: names, kind: .link(target))
        default: return .init(path: names, kind: .file(executable: kind == UInt8(ascii: "x"), size: size))
        }
    }
}
