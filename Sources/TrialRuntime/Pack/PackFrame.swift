import Base
import EvalModel

/// The text format of a pack in the collector's log.
///
/// Lines are long, because the container runtime stores about forty bytes with each of them, but shorter than the 16 KiB at which the runtime
/// splits lines.
public enum PackFrame {
    static let lineLength = 12288
    static let headerPrefix = "-----BEGIN ASSAY PACK v1 "
    static let trailer = "-----END ASSAY PACK-----"

    /// Header, base64 lines and trailer, each with its newline.
    public static func encode(_ pack: [UInt8], description: TrialReport.Pack) -> [UInt8] {
        var out = Array("\(header(description))\n".utf8)
        out.append(contentsOf: Base64.encodeBytes(pack, lineLength: lineLength))
        if out.last != UInt8(ascii: "\n") { out.append(UInt8(ascii: "\n")) }
        out.append(contentsOf: "\(trailer)\n".utf8)
        return out
    }

    static func header(_ pack: TrialReport.Pack) -> String {
        "\(headerPrefix)tree=\(pack.tree) sha256=\(pack.sha256) bytes=\(pack.bytes)-----"
    }
}

/// Finds the pack that a report describes in a log that may hold other text.
///
/// A frame counts only if its header matches the report and its bytes have the report's SHA-256; of several such frames the last one counts.
/// Everything else in the log is ignored. The size in the report limits the use of memory.
public struct PackFrameParser: Sendable {
    public enum Result: Sendable, Hashable {
        case pack([UInt8])
        /// `artifact_truncated`; the message says what the log lacks.
        case missing(TrialError)
    }

    private let expected: TrialReport.Pack
    private let header: [UInt8]
    private var line: [UInt8] = []
    private var inside = false
    private var text: [UInt8] = []
    private var found: [UInt8]?
    private var sawHeader = false
    private var sawOtherHeader = false
    private var damaged = false

    public init(expected: TrialReport.Pack) {
        self.expected = expected
        header = Array(PackFrame.header(expected).utf8)
    }

    /// Adds the next bytes of the log.
    public mutating func feed(_ bytes: some Sequence<UInt8>) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                endLine()
            } else if line.count < 2 * PackFrame.lineLength {
                line.append(byte)
            }
        }
    }

    /// The result after the end of the log. A last line without a newline does not count, because it may be cut.
    public mutating func finish() -> Result {
        if let found { return .pack(found) }
        let message =
            if !sawHeader {
                sawOtherHeader
                    ? "the collector's log holds a pack that is not the one its report describes"
                    : "the collector's log does not hold the pack's beginning (rotated away, or never written)"
            } else if inside {
                "the collector's log ends within the pack"
            } else {
                damaged ? "the pack in the collector's log is damaged" : "the pack in the collector's log is incomplete"
            }
        return .missing(TrialError(.artifactTruncated, message))
    }

    private mutating func endLine() {
        defer { line.removeAll(keepingCapacity: true) }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        if line.first == UInt8(ascii: "-") {
            if line.starts(with: PackFrame.headerPrefix.utf8) {
                inside = line == header
                if inside { sawHeader = true } else { sawOtherHeader = true }
                text.removeAll(keepingCapacity: true)
            } else if inside, line.elementsEqual(PackFrame.trailer.utf8) {
                inside = false
                endFrame()
            }
            return
        }
        guard inside else { return }
        // Room for the whole pack and a little more: a frame without an end must not fill the memory.
        if text.count + line.count <= (expected.bytes / 3 + 1) * 4 + 4 {
            text.append(contentsOf: line)
        } else {
            damaged = true
        }
    }

    private mutating func endFrame() {
        guard case .success(let bytes) = Base64.decode(text), bytes.count == expected.bytes,
            SHA256.hex(of: bytes) == expected.sha256
        else {
            damaged = true
            return
        }
        found = bytes
    }
}
