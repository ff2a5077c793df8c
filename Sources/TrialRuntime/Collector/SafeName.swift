import Base

/// Names of the trial's files as they are stored in a git tree.
///
/// `index-pack --strict` refuses `.git` in all its spellings and parses `.gitmodules`; control characters and broken UTF-8 can disturb a
/// terminal. Such names are percent-encoded as far as necessary. A name that holds a percent sign before two hex digits is encoded too, so that
/// decoding always gives the original name.
enum SafeName {
    /// The name for the tree; equal to the original when the name needs no encoding.
    static func encode(_ name: [UInt8]) -> String {
        let text = String(validating: name, as: UTF8.self)
        let encodeFirst = text.map(isGitName) ?? false
        var out = ""
        var changed = encodeFirst || text == nil || looksEncoded(name)
        if let text, !changed { changed = text.unicodeScalars.contains(where: isUnsafe) }
        guard changed, let first = name.first else { return text ?? "" }
        func percent(_ byte: UInt8) { out += "%" + hex([byte]).uppercased() }
        var rest = name[...]
        if encodeFirst {
            percent(first)
            rest = rest.dropFirst()
        }
        // Handles whole Unicode scalars where the bytes are UTF-8, and single bytes elsewhere.
        while let byte = rest.first {
            let length = byte < 0x80 ? 1 : byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2
            let piece = Array(rest.prefix(length))
            if let scalars = String(validating: piece, as: UTF8.self)?.unicodeScalars, scalars.count == 1, let scalar = scalars.first,
                !isUnsafe(scalar), scalar != "%"
            {
                out.unicodeScalars.append(scalar)
                rest = rest.dropFirst(piece.count)
            } else {
                percent(byte)
                rest = rest.dropFirst()
            }
        }
        return out
    }

    /// Reverses `encode`: the original bytes of a name.
    static func decode(_ name: String) -> [UInt8] {
        let bytes = Array(name.utf8)
        var out: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if isEncoded(bytes, at: index) {
                out.append(value(bytes[index + 1]) << 4 | value(bytes[index + 2]))
                index += 3
            } else {
                out.append(bytes[index])
                index += 1
            }
        }
        return out
    }

    /// Control characters, line separators, marks that change the direction of text, and the characters that HFS+ ignores in names.
    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF: true
        case 0x5C: true  // a backslash separates directories on other systems, and git refuses `a\.git`
        default: false
        }
    }

    /// `.git`, `.gitmodules` and the like in any case, with the characters that file systems ignore, and their short names on NTFS (`git~1`,
    /// `gi7eba~1`). Matches more than git refuses, because encoding a name without need does no harm.
    private static func isGitName(_ name: String) -> Bool {
        let plain = String(String.UnicodeScalarView(name.unicodeScalars.filter { !isUnsafe($0) })).lowercased()
        return plain.hasPrefix(".git") || (plain.hasPrefix("gi") && plain.contains("~"))
    }

    private static func looksEncoded(_ name: [UInt8]) -> Bool {
        name.indices.contains { isEncoded(name, at: $0) }
    }

    private static func isEncoded(_ bytes: [UInt8], at index: Int) -> Bool {
        bytes[index] == UInt8(ascii: "%") && index + 2 < bytes.count && isHex(bytes[index + 1]) && isHex(bytes[index + 2])
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }

    private static func value(_ byte: UInt8) -> UInt8 {
        byte < 0x3A ? byte - 0x30 : (byte | 0x20) - 0x61 + 10
    }
}
