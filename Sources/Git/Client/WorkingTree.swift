import Base
import Subprocess

/// A repository that a person works in, found from a folder in it and read with the person's own git and configuration.
public struct WorkingTree: Sendable, Hashable {
    /// The root of the working tree; of a bare repository, its directory.
    public let root: String
    /// The folder that was asked about, relative to `root`, without a slash at its end; empty for the root itself.
    public let path: String
    /// The commit that is checked out; nil when there is none yet.
    public let head: GitObjectID?

    /// The repository around a folder; nil when the folder is in none.
    ///
    /// - Throws: `.refused` for a repository of another user that git does not read, with the command that allows it; `.gitMissing`.
    public static func containing(_ folder: String) async throws(GitError) -> WorkingTree? {
        let found = try await run(["rev-parse", "--show-toplevel", "--show-prefix"], in: folder)
        let head = try await run(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], in: folder)
        let commit = head.succeeded ? GitObjectID(head.stdoutText.trimmed) : nil
        if found.succeeded {
            var lines = found.stdoutText.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            let root = lines.isEmpty ? folder : lines.removeFirst()
            var path = lines.first ?? ""
            while path.hasSuffix("/") { path.removeLast() }
            return WorkingTree(root: root, path: path, head: commit)
        }
        try check(found, folder)
        let bare = try await run(["rev-parse", "--git-dir"], in: folder)
        return bare.succeeded ? WorkingTree(root: folder, path: "", head: commit) : nil
    }

    /// Whether the commit has the folder, and the folder has nothing that differs from it. Ignored files do not count.
    ///
    /// - Parameter paths: what of the folder counts, relative to it. Empty: all of it.
    public func isCommitted(paths: [String] = []) async throws(GitError) -> Bool {
        guard head != nil, try await Self.run(["cat-file", "-e", "HEAD:\(path)"], in: root).succeeded else { return false }
        let status = try await Self.run(Self.limited(["status", "--porcelain", "--untracked-files=all"], to: paths), in: folder)
        return status.succeeded && status.stdout.isEmpty
    }

    /// The files in the folder that a commit of everything would have, relative to the folder: tracked ones, and new ones that are not
    /// ignored. Nil when the whole folder is ignored.
    ///
    /// - Parameter paths: what of the folder is listed, relative to it. Empty: all of it.
    public func files(paths: [String] = []) async throws(GitError) -> [String]? {
        if try await Self.run(["check-ignore", "--quiet", "--", "."], in: folder).succeeded { return nil }
        let listed = try await Self.run(Self.limited(["ls-files", "-z", "--cached", "--others", "--exclude-standard"], to: paths), in: folder)
        guard listed.succeeded else { throw GitError(.failed, "cannot list the files in \(folder): \(listed.stderrText.trimmed)") }
        return listed.stdoutText.split(separator: "\0").map(String.init)
    }

    /// The absolute path of the directory with the repository's objects.
    public func objects() async throws(GitError) -> String {
        let found = try await Self.run(["rev-parse", "--path-format=absolute", "--git-path", "objects"], in: root)
        guard found.succeeded else { throw GitError(.failed, "cannot find the objects of \(root): \(found.stderrText.trimmed)") }
        return found.stdoutText.trimmed
    }

    /// The address of a remote; nil when there is no such remote.
    public func address(ofRemote name: String) async throws(GitError) -> String? {
        let answer = try await Self.run(["remote", "get-url", "--end-of-options", name], in: root)
        return answer.succeeded ? answer.stdoutText.trimmed : nil
    }

    private static func limited(_ command: [String], to paths: [String]) -> [String] {
        paths.isEmpty ? command + ["--", "."] : ["--literal-pathspecs"] + command + ["--"] + paths
    }

    private var folder: String { path.isEmpty ? root : "\(root)/\(path)" }

    private static func run(_ arguments: [String], in folder: String) async throws(GitError) -> CommandResult {
        do {
            return try await Command(
                "git", ["-C", folder, "--no-optional-locks"] + arguments, environment: .inheriting(adding: ["LC_ALL": "C"]), outputLimit: 256 << 20
            ).run()
        } catch {
            throw GitError(.gitMissing, "cannot run git in \(folder): \(error)")
        }
    }

    private static func check(_ result: CommandResult, _ folder: String) throws(GitError) {
        guard result.stderrText.contains("detected dubious ownership") else { return }
        let owned = GitFailure.dubiousPlace(result.stderrText) ?? folder
        throw GitError(.refused, "\(folder): \(GitFailure.dubiousOwnership(owned))")
    }
}
