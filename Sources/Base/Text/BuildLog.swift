/// The output of a build of an image: its end, and the last step that began. It reads what podman and buildah print.
public struct BuildLog: Sendable {
    /// Bytes of the output that are kept.
    public static let limit = 64 << 10

    private var bytes: [UInt8] = []
    private var isCut = false
    private var line: [UInt8] = []
    /// The last line such as `STEP 3/7: RUN make`.
    public private(set) var step: String?
    /// A path that is written as `.`; empty for none.
    public var hidden = ""

    public init() {}

    public mutating func append(_ chunk: [UInt8]) {
        bytes += chunk
        if bytes.count > 2 * Self.limit {
            bytes.removeFirst(bytes.count - Self.limit)
            isCut = true
        }
        for byte in chunk {
            guard byte == 0x0A else {
                if line.count < 4096 { line.append(byte) }
                continue
            }
            note(String(decoding: line, as: UTF8.self))
            line = []
        }
    }

    /// A stage's number may stand before the step: `[1/2] STEP 3/7: RUN make`.
    private mutating func note(_ line: String) {
        guard let start = line.firstRange(of: "STEP "), line[..<start.lowerBound].allSatisfy({ "[/] ".contains($0) || $0.isNumber }),
            line[start.upperBound...].first?.isNumber == true, line.contains(": ")
        else { return }
        step = String(line[start.lowerBound...])
    }

    /// The end of the output, from the beginning of a line.
    public var end: String {
        var rest = bytes.suffix(Self.limit)[...]
        if isCut || rest.count < bytes.count {
            rest = rest.drop { $0 != 0x0A }.dropFirst()
            return "[the beginning is left out]\n" + text(rest)
        }
        return text(rest)
    }

    private func text(_ bytes: ArraySlice<UInt8>) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        return hidden.isEmpty ? text : text.replacing(hidden, with: ".")
    }

    /// The last line that begins with `Error:`, without this word.
    public var error: String? {
        end.split(separator: "\n").last { $0.hasPrefix("Error: ") }.map { String($0.dropFirst("Error: ".count)) }
    }

    /// For a build that failed: the step and the reason, then the end of the output.
    public func failing(_ reason: String) -> String { "failed: \(step ?? "before the first step")\n\(reason)\n\n\(end)" }
}
