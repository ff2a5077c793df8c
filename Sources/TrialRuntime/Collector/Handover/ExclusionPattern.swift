import Glibc

/// Patterns with the meaning of `tar --exclude`, for an archive that was made with `-C SOURCE .`: that is how Harbor applies them.
struct ExclusionPatterns: Sendable {
    let patterns: [String]

    /// GNU's FNM_LEADING_DIR: a pattern that matches a folder matches everything in it.
    private static let leadingDirectory: Int32 = 1 << 3

    /// - Parameter path: the names below the artifact's folder. `*` matches `/`, and a pattern may match from any name on.
    func excludes(_ path: [[UInt8]]) -> Bool {
        guard !patterns.isEmpty else { return false }
        var names = ([[UInt8(ascii: ".")]] + path)[...]
        while !names.isEmpty {
            let text = Array(names.joined(separator: [UInt8(ascii: "/")]))
            for pattern in patterns where text.withCString({ fnmatch(pattern, $0, Self.leadingDirectory) }) == 0 { return true }
            names.removeFirst()
        }
        return false
    }
}
