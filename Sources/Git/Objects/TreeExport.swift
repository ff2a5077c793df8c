import Base

/// Writes a part of a commit's tree into a directory: files, executables, folders and links. A `.git` is never written.
///
/// A link to a target within the exported part stays a link. A link to another part of the repository (tasks that share files) is replaced by a copy
/// of its target. A link out of the repository is written unchanged and not followed. Submodules are left out.
public struct TreeExport: Sendable {
    /// What was left out or cannot be used, for messages.
    public struct Report: Sendable, Hashable {
        public var files = 0
        public var bytes = 0
        public var submodules: [String] = []
        public var danglingLinks: [String] = []
        public init() {}
    }

    /// A file, folder or link to create.
    public struct Item: Sendable, Hashable {
        public enum Kind: Sendable, Hashable { case directory, file(GitObjectID, executable: Bool), link(String) }
        /// Relative to the destination.
        public var path: [String]
        public var kind: Kind

        public init(path: [String], kind: Kind) {
            self.path = path
            self.kind = kind
        }
    }

    /// A larger number of entries is a mistake, or the effect of a link that multiplies folders.
    public static let maximumEntries = 200_000

    let tree: GitTree

    public init(_ tree: GitTree) { self.tree = tree }

    /// How links are exported.
    public enum Links: Sendable {
        /// A link that leads out of the exported part is written as what it leads to.
        case withinExport
        /// Each link is written as the commit has it.
        case asWritten
    }

    /// Exports the directory at `path` into `destination`, which is created if needed. Existing files are not overwritten.
    ///
    /// - Throws: `.pathNotFound` when the directory does not exist, `.corrupt` when objects are damaged, `.storage` when the destination cannot be
    ///   written.
    @discardableResult
    public func export(_ path: GitPath, to destination: String, links: Links = .withinExport) async throws(GitError) -> Report {
        var report = Report()
        let items = try plan(path, links, &report)
        let writer: ExportWriter
        do {
            try Directory.make(destination)
            writer = try ExportWriter(destination)
            for item in items {
                switch item.kind {
                case .directory: try writer.makeDirectory(item.path)
                case .link(let target): try writer.makeLink(item.path, target)
                case .file: break
                }
            }
        } catch let failure {
            throw GitError(.storage, "cannot export \(quoted(path.description)): \(failure)")
        }
        let files = items.compactMap { item -> (path: [String], id: GitObjectID, executable: Bool)? in
            guard case .file(let id, let executable) = item.kind else { return nil }
            return (item.path, id, executable)
        }
        if let remote = tree.remote { try await tree.git.fetchMissing(files.map(\.id), of: tree.commit, from: remote, into: tree.repository) }
        let bytes = Locked(0)
        try await tree.git.readObjects(files.map(\.id), in: tree.repository, remote: tree.remote) { (index, piece, last) throws(GitError) in
            do throws(FileError) {
                try writer.append(piece, to: files[index].path, executable: files[index].executable, last: last)
            } catch {
                throw GitError(.storage, "cannot export \(quoted(path.description)): \(error)")
            }
            bytes.withLock { $0 += piece.count }
        }
        report.files = files.count
        report.bytes = bytes.withLock { $0 }
        return report
    }

    /// What `export` creates of the directory at `path`: parents before their content, the names of each folder sorted by bytes.
    public func items(of path: GitPath, links: Links = .withinExport) throws(GitError) -> [Item] {
        var report = Report()
        return try plan(path, links, &report)
    }

    /// The items to create; parents come before their content.
    func plan(_ path: GitPath, _ links: Links = .withinExport, _ report: inout Report) throws(GitError) -> [Item] {
        let real: String
        switch tree.resolve(path.text) {
        case .root: real = ""
        case .entry(let entry) where entry.kind == .directory: real = entry.path
        case .entry: throw GitError(.pathNotFound, "\(quoted(path.description)) in commit \(tree.commit.short) is a file, not a folder")
        case .missing, .outside: throw GitError(.pathNotFound, "commit \(tree.commit.short) has no path \(quoted(path.description))")
        }
        var items: [Item] = []
        try add(directory: real, as: [], exported: real, links, inside: [real], &items, &report)
        return items
    }

    private func add(
        directory: String, as path: [String], exported: String, _ links: Links, inside: Set<String>, _ items: inout [Item], _ report: inout Report
    ) throws(GitError) {
        for name in tree.names(in: directory) {
            if let why = GitPath.problem(component: name) {
                throw GitError(.invalidInput, "commit \(tree.commit.short) has an entry \(quoted(name)) that is not exported: \(why)")
            }
            guard items.count < Self.maximumEntries else {
                throw GitError(.tooLarge, "more than \(Self.maximumEntries) entries below \(quoted(exported)) in commit \(tree.commit.short)")
            }
            let source = directory.isEmpty ? name : "\(directory)/\(name)"
            guard let entry = tree.entry(source) else { continue }
            try add(entry, as: path + [name], exported: exported, links, inside: inside, &items, &report)
        }
    }

    private func add(
        _ entry: TreeEntry, as path: [String], exported: String, _ links: Links, inside: Set<String>, _ items: inout [Item], _ report: inout Report
    ) throws(GitError) {
        switch entry.kind {
        case .file, .executable:
            items.append(Item(path: path, kind: .file(entry.id, executable: entry.kind == .executable)))
        case .directory:
            items.append(Item(path: path, kind: .directory))
            try add(directory: entry.path, as: path, exported: exported, links, inside: inside.union([entry.path]), &items, &report)
        case .submodule:
            report.submodules.append(entry.path)
            items.append(Item(path: path, kind: .directory))
        case .link:
            let target = tree.target(ofLink: entry.path) ?? ""
            guard !target.isEmpty else { return }
            let asWritten = Item(path: path, kind: .link(target))
            if links == .asWritten { return items.append(asWritten) }
            switch tree.resolve(entry.path) {
            case .entry(let real) where !isBelow(real.path, exported):
                // A folder that contains a link to itself would be exported without end.
                guard !inside.contains(real.path) else { return items.append(asWritten) }
                try add(real, as: path, exported: exported, links, inside: inside.union([real.path]), &items, &report)
            case .missing, .outside:
                report.danglingLinks.append(entry.path)
                items.append(asWritten)
            case .root:
                items.append(asWritten)
            case .entry(let real):
                // The link's path may lead through entries that are not exported, or the link may be in another place than in the repository.
                let stays = isBelow(entry.path, exported) && staysInside(target, from: entry.path, exported)
                items.append(stays ? asWritten : Item(path: path, kind: .link(relative(real.path, from: path, exported))))
            }
        }
    }

    private func staysInside(_ target: String, from link: String, _ exported: String) -> Bool {
        var at = link.pathComponents.dropLast()
        let depth = exported.pathComponents.count
        for part in target.pathComponents where part != "." {
            if part == ".." { _ = at.popLast() } else { at.append(part) }
            if at.count < depth { return false }
        }
        return true
    }

    /// The relative path from a link at `path` of the export to `real`, a path of the repository below the exported folder.
    private func relative(_ real: String, from path: [String], _ exported: String) -> String {
        let below = real.pathComponents.dropFirst(exported.pathComponents.count)
        let steps = Array(repeating: "..", count: path.count - 1) + below
        return steps.isEmpty ? "." : steps.joined(separator: "/")
    }

    private func isBelow(_ path: String, _ folder: String) -> Bool { folder.isEmpty || path == folder || path.hasPrefix(folder + "/") }
}
