import EvalModel

/// The text of an instruction as agents get it.
public enum InstructionText {
    /// - Returns: for Harbor's tasks the text without the canary lines at its beginning, which keep benchmarks out of training data and are not for
    ///   agents, and without the blank lines after them. Other texts are returned unchanged.
    ///
    /// The rule is Harbor's (`strip_canary` in `harbor/models/task/task.py`, version 0.26): an HTML comment of one line, or a line that begins with `#`,
    /// that contains "canary" in any case. Leading blank lines go even if there is no such line.
    public static func shown(_ bytes: [UInt8], family: TaskSchema) -> [UInt8] {
        guard family == .harbor else { return bytes }
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let text = lines.drop { isCanary(trimmed($0)) }.drop { trimmed($0).isEmpty }
        return Array(text.joined(separator: [UInt8(ascii: "\n")]))
    }

    private static func isCanary(_ line: ArraySlice<UInt8>) -> Bool {
        let text = String(decoding: line, as: UTF8.self)
        let isComment = text.hasPrefix("#") || (text.hasPrefix("<!--") && text.hasSuffix("-->"))
        return isComment && text.lowercased().contains("canary")
    }

    private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || (0x09...0x0D).contains(byte) }
        guard let last = line.lastIndex(where: { !isBlank($0) }) else { return [] }
        return line[...last].drop(while: isBlank)
    }
}
