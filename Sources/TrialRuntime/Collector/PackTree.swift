import Base

/// Chooses the names of files in the pack: without secrets, safe for git, and unique in their directory.
struct PackNames {
    let filter: SecretFilter
    /// The changed names of entries, keyed by the original path of their directory.
    private var directories: [[[UInt8]]: [Wanted: String]] = [:]

    private struct Wanted: Hashable {
        var original: [UInt8]
        /// The name without secrets. One directory may get several such names, when a secret ends within its name.
        var name: String
    }

    init(filter: SecretFilter) { self.filter = filter }

    mutating func path(_ components: [[UInt8]]) -> [String] {
        var path: [String] = []
        var parent: [[UInt8]] = []
        for (component, clean) in zip(components, filter.path(components)) {
            path.append(name(component, clean: clean, in: parent))
            parent.append(component)
        }
        return path
    }

    private mutating func name(_ component: [UInt8], clean: [UInt8], in parent: [[UInt8]]) -> String {
        let wanted = Wanted(original: component, name: SafeName.encode(clean))
        // Only changed names, and names that look like changed ones, can collide. The others are not stored, because a directory may hold
        // thousands of them.
        guard Array(wanted.name.utf8) != component || wanted.name.contains(Self.replacement) else { return wanted.name }
        if let known = directories[parent]?[wanted] { return known }
        var name = wanted.name
        // Two names that differ only in a secret are equal after redaction, so a number is appended.
        var number = 2
        while directories[parent]?.values.contains(name) == true {
            name = "\(wanted.name)%7E\(number)"
            number += 1
        }
        directories[parent, default: [:]][wanted] = name
        return name
    }

    private static let replacement = String(decoding: Redactor.replacement, as: UTF8.self)
}

/// The directories of the pack, written as git trees from the deepest level up.
final class PackTree {
    /// The bytes of a name. A String would not do: Unicode treats "é" in one scalar and in two as equal, but they name two files.
    private typealias Name = [UInt8]
    private var blobs: [Name: String] = [:]
    private var children: [Name: PackTree] = [:]

    func insert(_ path: [String], id: String) {
        guard let name = path.first.map({ Name($0.utf8) }) else { return }
        if path.count == 1 {
            blobs[name] = id
            return
        }
        let child = children[name] ?? PackTree()
        children[name] = child
        child.insert(Array(path.dropFirst()), id: id)
    }

    /// Writes the trees with one git process per level; returns the ids of all trees, the root's last.
    func write(to store: PackStore) async throws -> [String] {
        var levels: [[PackTree]] = [[self]]
        while let next = levels.last?.flatMap({ $0.children.values }), !next.isEmpty { levels.append(next) }
        var ids: [ObjectIdentifier: String] = [:]
        var all: [String] = []
        for level in levels.reversed() {
            let records = level.map { tree in
                tree.blobs.map { "100644 blob \($0.value)\t\(String(decoding: $0.key, as: UTF8.self))" }
                    + tree.children.compactMap { name, child in
                        ids[ObjectIdentifier(child)].map { "040000 tree \($0)\t\(String(decoding: name, as: UTF8.self))" }
                    }
            }
            let written = try await store.trees(records)
            for (tree, id) in zip(level, written) { ids[ObjectIdentifier(tree)] = id }
            all.append(contentsOf: written)
        }
        return all
    }
}
