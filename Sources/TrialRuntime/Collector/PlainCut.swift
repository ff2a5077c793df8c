import Base
import Glibc

/// The text that replaces bytes that were cut out of a file.
enum CutMark {
    /// One line. In a file of JSON lines it is a line of the transcript's format (docs/schemas/transcript.schema.json).
    static func bytes(leftOut: Int, of size: Int, inLines: Bool) -> [UInt8] {
        let text = "[assay: \(leftOut) of \(size) bytes left out here]"
        guard inLines else { return Array("\n\(text)\n".utf8) }
        return [0x0A] + JSONValue.object(["type": "cut", "bytes": JSONValue(leftOut), "text": .string(text)]).serialized() + [0x0A]
    }
}

/// Cuts the middle out of a redacted copy, where any position is safe for a cut.
enum PlainCut {
    /// Keeps about `keep` bytes, half at the beginning and half at the end; returns how many.
    ///
    /// - Parameters:
    ///   - original: the file's length before its first cut.
    ///   - inLines: the file is JSON lines, so only whole lines are kept.
    static func apply(to path: String, keep: Int, of original: Int, inLines: Bool = false) throws -> Int {
        let source = open(path, O_RDONLY | O_CLOEXEC)
        guard source >= 0 else { throw failure(path) }
        defer { close(source) }
        var info = stat()
        guard fstat(source, &info) == 0 else { throw failure(path) }
        let size = Int(info.st_size)
        let half = min(keep, size) / 2
        var head = try read(source, at: 0, count: half, path)
        var tail = try read(source, at: size - half, count: half, path)
        if inLines {
            head.removeSubrange((head.lastIndex(of: 0x0A) ?? -1).advanced(by: 1)...)
            tail.removeSubrange(..<(tail.firstIndex(of: 0x0A) ?? tail.count - 1).advanced(by: 1))
        }
        let kept = head.count + tail.count
        var bytes = head
        bytes += CutMark.bytes(leftOut: max(0, original - kept), of: original, inLines: inLines).dropFirst(inLines ? 1 : 0)
        bytes += tail
        do throws(FileError) { try FileWriting.replace(path, with: bytes, mode: 0o600, durable: false) } catch {
            throw PackStore.Failure(description: error.description)
        }
        return kept
    }

    private static func read(_ fd: Int32, at offset: Int, count: Int, _ path: String) throws -> [UInt8] {
        let bytes = FileReading.range(fd, offset..<(offset + count))
        guard bytes.count == count else { throw failure(path) }
        return bytes
    }

    private static func failure(_ path: String) -> PackStore.Failure {
        PackStore.Failure(description: "cannot cut \(path): \(String(cString: strerror(errno)))")
    }
}
