import EvalFormats
import EvalModel
import Git

/// A task's folder in a commit, in the form that the readers of task files expect.
public struct GitTreeFolder: TaskFolder {
    public let tree: GitTree
    /// Relative to the repository's root.
    public let path: GitPath

    public init(_ tree: GitTree, path: GitPath) {
        self.tree = tree
        self.path = path
    }

    private func full(_ relative: String) -> String { path.isRoot ? relative : relative.isEmpty ? path.text : "\(path.text)/\(relative)" }

    public func exists(_ relative: String) -> Bool { tree.exists(full(relative)) }

    /// - Throws: `GitError`: `.tooLarge` for a file over 1 MiB, `.corrupt` for a damaged object.
    public func read(_ relative: String) async throws -> [UInt8]? { try await tree.read(full(relative)) }

    public func treeID(_ relative: String) -> String? {
        guard case .entry(let entry) = tree.resolve(full(relative)), entry.kind == .directory else { return nil }
        return entry.id.hex
    }

    public func submodules() -> [String] { tree.submodules(below: path.text) }
}

extension SourceResolver {
    /// The tasks in a folder of a commit, sorted and filtered. Their `task.toml` files are read together.
    ///
    /// - Throws: `task_not_found`, which names the path, the commit and the names that exist there.
    public func tasks(
        in tree: GitTree, at path: String, include: [String]? = nil, exclude: [String]? = nil
    ) async throws(SourceError) -> [TaskReference] {
        do {
            let source: SourcePath
            do { source = try SourcePath(path) } catch { throw SourceError(.taskInvalid, "the dataset's \(error)") }
            let folder = try GitPath(parsing: source.text)
            guard tree.exists(folder.text) else { throw missing(folder, in: tree) }
            var files = tree.folders(in: folder, having: "task.toml").map { "\($0)/task.toml" }
            let own = folder.isRoot ? "task.toml" : "\(folder.text)/task.toml"
            if tree.exists(own) { files.append(own) }
            let tasks = DatasetFolder.tasks(at: source, taskFiles: files, include: include, exclude: exclude)
            try await tree.prefetch(tasks.map { $0.path.isEmpty ? "task.toml" : "\($0.path)/task.toml" })
            return tasks
        } catch let error as GitError {
            throw SourceError(error)
        } catch let error as SourceError {
            throw error
        } catch {
            throw SourceError(.internalError, "\(error)")
        }
    }

    private func missing(_ path: GitPath, in tree: GitTree) -> SourceError {
        var parent = path.parent
        while !parent.isRoot, !tree.exists(parent.text) { parent = parent.parent }
        let names = tree.names(in: parent.text)
        let there = names.prefix(12).joined(separator: ", ") + (names.count > 12 ? " and \(names.count - 12) more" : "")
        return SourceError(
            .taskNotFound,
            "commit \(tree.commit.short) has no folder \"\(path)\"; \(parent.isRoot ? "its root" : "\"\(parent)\"") has: \(there.isEmpty ? "nothing" : there)",
            git: .pathNotFound)
    }

    /// The bytes of a file in a commit, such as registry.json.
    ///
    /// - Throws: `task_not_found` when the file does not exist.
    public func file(_ path: String, in tree: GitTree, limit: Int = 16 << 20) async throws(SourceError) -> [UInt8] {
        do {
            let place = try GitPath(parsing: path)
            guard let bytes = try await tree.read(place.text, limit: limit) else { throw missing(place, in: tree) }
            return bytes
        } catch let error as GitError {
            throw SourceError(error)
        } catch let error as SourceError {
            throw error
        } catch {
            throw SourceError(.internalError, "\(error)")
        }
    }
}
