import Artifacts
import Base
import EvalModel
import Git
import Subprocess

/// The options that select the results; without them, the results of the last `assay run` in this directory.
struct ResultsPlaceOptions {
    static let options: [CommandSyntax.Option] = [
        .init(
            name: "remote", value: "URL|PATH",
            help: "Repository with the results: a URL, a path, or the name of a git remote here. Default: what the last assay run here used."),
        .init(name: "branch", value: "B", help: "Branch with the results (default assay/runs/v1)."),
        .init(name: "path", value: "P", help: "Folder of the branch below which the results lie (default: its root)."),
        .init(name: "dir", value: "DIR", help: "Directory with the results of backend: local, instead of a repository."),
    ]
    static let defaultBranch = "assay/runs/v1"

    let place: ResultsPlace
    let query: RunQuery

    init(_ arguments: Arguments, workingDirectory: String = Path.workingDirectory) throws {
        place = try Self.place(arguments, workingDirectory)
        let state = "\(workingDirectory)/.assay"
        let cache = FileEntry.isDirectory(state) ? "\(state)/cache/results" : "\(UserCache.directory)/results"
        query = RunQuery(cacheDirectory: cache, workingDirectory: workingDirectory)
    }

    /// - Parameter whole: true refuses a shallow clone, which has only a part of the results; false prints a note.
    func open(whole: Bool = false) async throws -> any RecordStore {
        let store = try await query.open(place)
        if let branch = store as? BranchReader, branch.isShallow {
            let text =
                "\(branch.place.replacingControls) is a shallow clone, which has the newest commits only: name its remote instead (--remote origin), or "
                + "complete it (git fetch --unshallow)"
            if whole { throw UsageError(text) }
            Assay.printError("note: \(text)")
        }
        return store
    }

    private static func place(_ arguments: Arguments, _ workingDirectory: String) throws -> ResultsPlace {
        if let directory = arguments.value("dir") {
            guard arguments.value("remote") == nil, arguments.value("branch") == nil, arguments.value("path") == nil else {
                throw UsageError("--dir names a directory of results; --remote, --branch and --path are for those on a branch")
            }
            return .directory(directory)
        }
        let last = lastRun(workingDirectory)
        if arguments.value("remote") == nil, arguments.value("branch") == nil, arguments.value("path") == nil, case .directory? = last, let last {
            return last
        }
        var remote = arguments.value("remote")
        var branch = arguments.value("branch")
        var path = arguments.value("path")
        // The branch and path of the last run apply only to its own remote.
        if remote == nil, case .branch(let lastRemote, let lastBranch, let lastPath)? = last {
            remote = lastRemote
            branch = branch ?? lastBranch.name
            path = path ?? lastPath.text
        }
        guard let remote else {
            throw UsageError("there are no results of an assay run in this directory; say where they are with --remote URL or --dir DIR")
        }
        do throws(GitError) {
            return .branch(
                remote: remote, branch: try GitBranch(parsing: branch ?? defaultBranch), path: try GitPath(parsing: path ?? ""))
        } catch {
            throw UsageError(error.message)
        }
    }

    /// The contents of `.assay/last-results.json`, which `assay run` writes; nil when it is missing.
    static func lastRun(_ workingDirectory: String) -> ResultsPlace? {
        guard let bytes = FileReading.whole("\(workingDirectory)/.assay/last-results.json", limit: 1 << 20),
            let value = try? JSONValue(parsing: bytes)
        else { return nil }
        if let directory = value["directory"]?.string { return .directory(directory) }
        guard let remote = value["remote"]?.string, let branch = value["branch"]?.string.flatMap({ try? GitBranch(parsing: $0) }),
            let path = try? GitPath(parsing: value["path"]?.string ?? "")
        else { return nil }
        return .branch(remote: remote, branch: branch, path: path)
    }
}
