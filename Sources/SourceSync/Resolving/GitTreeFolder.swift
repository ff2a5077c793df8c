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
    /// The tasks in a folder of a commit, sorted and filtered. The files that describe them are read together.
    ///
    /// - Throws: `task_not_found`, which names the path, the commit and the names that exist there, when there is no such folder or no task in it.
    public func tasks(
        in tree: GitTree, at path: String, include: [String]? = nil, exclude: [String]? = nil
    ) async throws(SourceError) -> [TaskReference] {
        do {
            let source: SourcePath
            do { source = try SourcePath(path) } catch { throw SourceError(.taskInvalid, "the dataset's \(error)") }
            let folder = try GitPath(parsing: source.text)
            guard tree.exists(folder.text) else { throw missing(folder, in: tree, hint: elsewhere(.root, in: tree)) }
            var files = tree.folders(in: folder, having: "task.toml").map { "\($0)/task.toml" }
            let own = folder.isRoot ? "task.toml" : "\(folder.text)/task.toml"
            if tree.exists(own) { files.append(own) }
            guard !files.isEmpty else { throw noTasks(folder, in: tree) }
            let tasks = DatasetFolder.tasks(at: source, taskFiles: files, include: include, exclude: exclude)
            try await prefetch(tasks, in: tree)
            return tasks
        } catch let error as GitError {
            throw SourceError(error)
        } catch let error as SourceError {
            throw error
        } catch {
            throw SourceError(.internalError, "\(error)")
        }
    }

    /// Reads the files that describe tasks at once. When they are too large together, each is read later by itself, and the one that is too large
    /// is its task's error.
    private func prefetch(_ tasks: [TaskReference], in tree: GitTree) async throws(GitError) {
        let files = tasks.flatMap { task in TaskReader.files.map { task.path.isEmpty ? $0 : "\(task.path)/\($0)" } }
        do throws(GitError) { try await tree.prefetch(files) } catch {
            guard error.kind == .tooLarge else { throw error }
        }
    }

    private func missing(_ path: GitPath, in tree: GitTree, hint: String = "") -> SourceError {
        var parent = path.parent
        while !parent.isRoot, !tree.exists(parent.text) { parent = parent.parent }
        let names = tree.names(in: parent.text)
        let there = names.prefix(12).joined(separator: ", ") + (names.count > 12 ? " and \(names.count - 12) more" : "")
        let part = tree.isSparse ? "; only syncOptions.sparsePaths of the EvalTarget are there" : ""
        return SourceError(
            .taskNotFound,
            "commit \(tree.commit.short) has no folder \"\(path)\"; \(parent.isRoot ? "its root" : "\"\(parent)\"") has: \(there.isEmpty ? "nothing" : there)"
                + part + hint,
            git: .pathNotFound)
    }

    private func noTasks(_ path: GitPath, in tree: GitTree) -> SourceError {
        let place = path.isRoot ? "its root" : "the folder \"\(path)\""
        return SourceError(
            .taskNotFound,
            "commit \(tree.commit.short): \(place) has no subfolder with a task.toml" + elsewhere(path, in: tree), git: .pathNotFound)
    }

    /// Where task.toml files are, for a path that has none.
    private func elsewhere(_ path: GitPath, in tree: GitTree) -> String {
        var found = tree.allFolders(below: path, having: "task.toml")
        if found.isEmpty { found = tree.allFolders(below: .root, having: "task.toml") }
        guard !found.isEmpty else { return "; there is no task.toml below any folder of the commit" }
        let more = found.count > 5 ? " and \(found.count - 5) more" : ""
        let list = found.prefix(5).map { "\"\($0)\"" }.joined(separator: ", ")
        let parents = Dictionary(grouping: found) { $0.split(separator: "/").dropLast().joined(separator: "/") }
        // The folder with the most tasks, the first of several.
        let parent = parents.max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }?.key ?? ""
        return "; there are task.toml files in \(list)\(more): a dataset's path is the folder above its tasks, from the root of the repository, "
            + "such as \"\(parent.isEmpty ? "." : parent)\""
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
