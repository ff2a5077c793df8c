import Base
import Glibc

/// Copies one file of the logs without its secrets, and cuts it to its allowance.
struct RedactedCopy: Sendable {
    struct Result: Sendable, Hashable {
        /// The file's size when it was read.
        var size: Int
        /// How many bytes of the file were read; less than `size` when it was cut.
        var kept: Int
        /// How often each secret was replaced, keyed by the secret's name.
        var redactions: [String: Int]
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
        /// Whether writing to the collector's own disk failed, rather than reading the file.
        let isOurs: Bool
    }

    let filter: SecretFilter

    /// Copies the file. Of a file larger than `allowance` the beginning and the end are kept, with a mark between them.
    ///
    /// - Parameter inLines: the file is JSON lines, so the mark is a JSON line too.
    func copy(from source: Int32, to target: String, allowance: Int, inLines: Bool = false) throws(Failure) -> Result {
        var info = stat()
        guard fstat(source, &info) == 0 else { throw Self.failure("cannot look at it", isOurs: false) }
        let size = Int(info.st_size)
        let out = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard out >= 0 else { throw Self.failure("cannot write \(target)", isOurs: true) }
        defer { close(out) }
        guard size > allowance else {
            // A growing file is read up to the size that it had when it was examined.
            var stream = Redactor.Stream(filter.redactor)
            let kept = try pump(source, 0..<size, &stream, out)
            try write(stream.finish(), out)
            return Result(size: size, kept: kept, redactions: stream.counts)
        }
        let half = allowance / 2
        var head = Redactor.Stream(filter.redactor)
        let keptHead = try pump(source, 0..<half, &head, out)
        // The bytes that the stream holds back could be the beginning of a secret that the cut divides, so they are dropped.
        try write(CutMark.bytes(leftOut: size - 2 * half, of: size, inLines: inLines), out)
        // Reading starts before the cut, so that a secret across the cut is seen whole.
        var tail = Redactor.Stream(filter.redactor)
        let cut = size - half
        try pump(source, max(0, cut - 2 * filter.redactor.reach)..<cut, &tail, nil)
        tail.forgetCounts()
        let keptTail = try pump(source, cut..<size, &tail, out)
        try write(tail.finish(), out)
        return Result(size: size, kept: keptHead + keptTail, redactions: head.counts.merging(tail.counts, uniquingKeysWith: +))
    }

    /// Redacts a range of the file and writes it to `out`, or discards it when `out` is nil. Returns how many bytes were read.
    @discardableResult
    private func pump(
        _ source: Int32, _ range: Range<Int>, _ stream: inout Redactor.Stream, _ out: Int32?
    ) throws(Failure) -> Int {
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = pread(source, &buffer, min(buffer.count, range.upperBound - offset), off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure("cannot read it", isOurs: false) }
            if count == 0 { break }
            let clean = stream.append(buffer[0..<count])
            if let out { try write(clean, out) }
            offset += count
        }
        return offset - range.lowerBound
    }

    private func write(_ bytes: [UInt8], _ out: Int32) throws(Failure) {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(out, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure("cannot write the copy", isOurs: true) }
            done += count
        }
    }

    private static func failure(_ what: String, isOurs: Bool) -> Failure {
        Failure(description: "\(what): \(String(cString: strerror(errno)))", isOurs: isOurs)
    }
}
