import Base
import Git
import Glibc

/// The parts of an Assay commit message, as ranges of its bytes, so that a filter can be applied before anything is parsed.
/// Valid only as long as the bytes are.
///
/// Bytes are searched with the C library only, so that a listing of 100,000 commits is fast in an unoptimised build, too.
struct RunTrailers {
    typealias Bytes = UnsafeRawBufferPointer

    var kind: RunEntry.Kind
    /// Sixteen bytes. They have not been checked to be hex digits.
    var id: Bytes
    var retry: Int?
    var dataset: Bytes?
    var job: Bytes?
    var jobID: Bytes?
    var agent: Bytes?
    var model: Bytes?
    var task: Bytes?
    var attempt: Bytes?
    var reward: Bytes?
    var outcome: Bytes?
    var error: Bytes?
    var seconds: Bytes?
    var sourceCommit: Bytes?
    var trials: Bytes?
    var passRate: Bytes?
    var cancelled: Bytes?
    var path: Bytes?

    /// nil when the subject is not one that Assay writes.
    init?(_ message: Bytes) {
        let end = message.offset(of: 10, from: 0) ?? message.count
        let subject = Bytes(rebasing: message[..<end])
        if Self.starts(subject, "Run: "), subject.count == 21 {
            (kind, id) = (.run, Bytes(rebasing: subject[5...]))
        } else if Self.starts(subject, "Job: "), subject.count == 21 {
            (kind, id) = (.job, Bytes(rebasing: subject[5...]))
        } else if Self.starts(subject, "Retry: "), subject.count > 24, subject[23] == 0x20,
            let number = Int(Self.text(Bytes(rebasing: subject[24...]))), number >= 0
        {
            (kind, id, retry) = (.retry, Bytes(rebasing: subject[7..<23]), number)
        } else {
            return nil
        }
        // Trailers follow the last empty line (git-interpret-trailers(1)).
        let none = self
        var last = message.count
        while last > end, message[last - 1] == 10 { last -= 1 }
        var at = end + 1
        var afterBlank = false
        while at < last {
            let lineEnd = min(message.offset(of: 10, from: at) ?? last, last)
            if lineEnd == at {
                self = none
                afterBlank = true
            } else if afterBlank {
                take(Bytes(rebasing: message[at..<lineEnd]))
            }
            at = lineEnd + 1
        }
    }

    private mutating func take(_ line: Bytes) {
        guard let colon = line.offset(of: UInt8(ascii: ":"), from: 0), colon > 6, colon + 1 < line.count else { return }
        let key = Bytes(rebasing: line[..<colon])
        var start = colon + 1
        while start < line.count, line[start] == 0x20 { start += 1 }
        let value = Bytes(rebasing: line[start...])
        // The seventh byte alone distinguishes most keys.
        switch key[6] {
        case UInt8(ascii: "E"):
            if Self.isEqual(key, "Assay-Eval") { dataset = value } else if Self.isEqual(key, "Assay-Error") { error = value }
        case UInt8(ascii: "J"):
            if Self.isEqual(key, "Assay-Job") { job = value } else if Self.isEqual(key, "Assay-Job-Id") { jobID = value }
        case UInt8(ascii: "A"):
            if Self.isEqual(key, "Assay-Agent") { agent = value } else if Self.isEqual(key, "Assay-Attempt") { attempt = value }
        case UInt8(ascii: "M"): if Self.isEqual(key, "Assay-Model") { model = value }
        case UInt8(ascii: "T"):
            if Self.isEqual(key, "Assay-Task") { task = value } else if Self.isEqual(key, "Assay-Trials") { trials = value }
        case UInt8(ascii: "R"): if Self.isEqual(key, "Assay-Reward") { reward = value }
        case UInt8(ascii: "O"): if Self.isEqual(key, "Assay-Outcome") { outcome = value }
        case UInt8(ascii: "S"): if Self.isEqual(key, "Assay-Seconds") { seconds = value }
        case UInt8(ascii: "P"):
            if Self.isEqual(key, "Assay-Pass-Rate") { passRate = value } else if Self.isEqual(key, "Assay-Path") { path = value }
        case UInt8(ascii: "C"): if Self.isEqual(key, "Assay-Cancelled") { cancelled = value }
        case UInt8(ascii: "-"): if Self.isEqual(key, "Source-Commit") { sourceCommit = value }
        default: break
        }
    }

    /// Whether the record is below that folder of the branch. An empty folder is the root.
    func isRecord(below folder: [UInt8]) -> Bool {
        guard let path else { return folder.isEmpty }
        return path.elementsEqual(folder)
    }

    private static func starts(_ bytes: Bytes, _ text: StaticString) -> Bool {
        guard bytes.count >= text.utf8CodeUnitCount, let base = bytes.baseAddress else { return false }
        return memcmp(base, text.utf8Start, text.utf8CodeUnitCount) == 0
    }

    private static func isEqual(_ bytes: Bytes, _ text: StaticString) -> Bool {
        bytes.count == text.utf8CodeUnitCount && starts(bytes, text)
    }

    static func text(_ bytes: Bytes) -> String { String(decoding: bytes, as: UTF8.self) }
    /// nil for text that is not a number or is outside the range that runs use, because anybody may have written the trailer.
    static func number(_ bytes: Bytes) -> Double? { Double(text(bytes)).flatMap { abs($0) < 1e15 ? $0 : nil } }

    /// The sixteen hex digits as a number; nil when they are not hex digits.
    static func digits(_ bytes: Bytes) -> UInt64? {
        guard bytes.count == 16 else { return nil }
        var value: UInt64 = 0
        for byte in bytes {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt64(byte &- 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(byte &- 0x57)
            default: return nil
            }
        }
        return value
    }
}
