import Base

/// The names that files get in the pack: without secrets, safe for git, and unique in their directory.
struct PackNames {
    let redactor: Redactor
    /// By the original path of the directory: what its entries are called.
    private var directories: [[[UInt8]]: [[UInt8]: String]] = [:]

    init(redactor: Redactor) { self.redactor = redactor }

    mutating func path(_ components: [[UInt8]]) -> [String] {
        var path: [String] = []
        var parent: [[UInt8]] = []
        for component in components {
            path.append(name(component, in: parent))
            parent.append(component)
        }
        return path
    }

    private mutating func name(_ component: [UInt8], in parent: [[UInt8]]) -> String {
        if let known = directories[parent]?[component] { return known }
        let wanted = SafeName.encode(redactor.redact(component).bytes)
        var name = wanted
        // Two names that differ in a secret only are the same without it.
        var number = 2
        while directories[parent]?.values.contains(name) == true {
            name = "\(wanted)%7E\(number)"
            number += 1
        }
        // Only names that changed can collide, so only they are worth remembering: a directory may hold thousands.
        if Array(wanted.utf8) != component { directories[parent, default: [:]][component] = name }
        return name
    }
}

/// The directories of the pack, written as git trees from the leaves up.
final class PackTree {
    private var blobs: [String: String] = [:]
    private var children: [String: PackTree] = [:]

    func insert(_ path: [String], id: String) {
        guard let name = path.first else { return }
        if path.count == 1 {
            blobs[name] = id
            return
        }
        let child = children[name] ?? PackTree()
        children[name] = child
        child.insert(Array(path.dropFirst()), id: id)
    }

    /// The ids of all trees; the root's is the last one. One git process per level.
    func write(to store: PackStore) async throws -> [String] {
        var levels: [[PackTree]] = [[self]]
        while let next = levels.last?.flatMap({ $0.children.values }), !next.isEmpty { levels.append(next) }
        var ids: [ObjectIdentifier: String] = [:]
        var all: [String] = []
        for level in levels.reversed() {
            let records = level.map { tree in
                tree.blobs.map { "100644 blob \($0.value)\t\($0.key)" }
                    + tree.children.compactMap { name, child in
                        ids[ObjectIdentifier(child)].map { "040000 tree \($0)\t\(name)" }
                    }
            }
            let written = try await store.trees(records)
            for (tree, id) in zip(level, written) { ids[ObjectIdentifier(tree)] = id }
            all.append(contentsOf: written)
        }
        return all
    }
}
