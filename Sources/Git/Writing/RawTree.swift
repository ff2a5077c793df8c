/// Parses a tree object in its stored format: `<mode> <name>\0<id>`, repeated.
enum RawTree {
    /// - Parameter idLength: bytes of an id: 20 for SHA-1, 32 for SHA-256.
    static func entries(_ bytes: [UInt8], idLength: Int) throws(GitError) -> [TreeEntry] {
        var entries: [TreeEntry] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let space = rest.firstIndex(of: 0x20), let end = rest[space...].firstIndex(of: 0), rest.endIndex - end > idLength else {
                throw GitError(.corrupt, "a tree object is damaged")
            }
            let raw = rest[(end + 1)..<(end + 1 + idLength)]
            guard let kind = kind(rest[..<space]), let id = GitObjectID(raw.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()) else {
                throw GitError(.corrupt, "a tree object holds an entry of an unknown kind")
            }
            entries.append(TreeEntry(kind: kind, id: id, path: String(decoding: rest[(space + 1)..<end], as: UTF8.self)))
            rest = rest[(end + 1 + idLength)...]
        }
        return entries
    }

    private static func kind(_ mode: ArraySlice<UInt8>) -> TreeEntry.Kind? {
        switch String(decoding: mode, as: UTF8.self) {
        case "40000", "040000": .directory
        case "120000": .link
        case "160000": .submodule
        case "100755": .executable
        case let other: other.hasPrefix("100") ? .file : nil
        }
    }
}

extension GitPath {
    /// The first components of the path, or the whole path if it has no more than `count`.
    public func prefix(_ count: Int) -> GitPath {
        var path = self
        while path.components.count > count { path = path.parent }
        return path
    }
}
