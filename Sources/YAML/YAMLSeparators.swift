/// Hides the characters that YAML 1.1 reads as ends of lines and YAML 1.2 as text: next line (U+0085), line separator (U+2028) and
/// paragraph separator (U+2029).
///
/// libyaml reads YAML 1.1: it folds such a character in a quoted or plain text into a blank, and makes a line end of it in a block. They are
/// replaced by private-use characters that the input does not have, and put back in each scalar.
struct YAMLSeparators {
    /// What libyaml reads.
    let bytes: [UInt8]
    /// The hidden characters by what stands for them; empty for nearly all inputs.
    private let hidden: [Unicode.Scalar: Unicode.Scalar]

    private static let separators: [Unicode.Scalar] = ["\u{85}", "\u{2028}", "\u{2029}"]
    /// Supplementary private use area B.
    private static let standIns: ClosedRange<UInt32> = 0x100000...0x10FFFD

    init(hiding input: [UInt8]) {
        var found: Set<Unicode.Scalar> = []
        // Each of these characters begins with one of two bytes, and most inputs contain neither byte.
        for index in input.indices.dropLast() where input[index] == 0xC2 || input[index] == 0xE2 {
            for separator in Self.separators where input[index...].starts(with: String(separator).utf8) { found.insert(separator) }
        }
        // Text that is not UTF-8 is passed on unchanged: libyaml reports where the mistake is.
        guard !found.isEmpty, let text = String(validating: input, as: UTF8.self) else {
            bytes = input
            hidden = [:]
            return
        }
        let taken = Set(text.unicodeScalars.lazy.filter { Self.standIns.contains($0.value) })
        var free = Self.standIns.lazy.compactMap(Unicode.Scalar.init).filter { !taken.contains($0) }.makeIterator()
        var standIns: [Unicode.Scalar: Unicode.Scalar] = [:]
        for separator in Self.separators where found.contains(separator) { standIns[separator] = free.next() }
        var replaced = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { replaced.append(standIns[scalar] ?? scalar) }
        bytes = Array(String(replaced).utf8)
        hidden = Dictionary(uniqueKeysWithValues: standIns.map { ($1, $0) })
    }

    /// The text with the hidden characters put back.
    func shown(in text: String) -> String {
        guard !hidden.isEmpty else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { result.append(hidden[scalar] ?? scalar) }
        return String(result)
    }
}
