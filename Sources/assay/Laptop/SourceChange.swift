import AssayAPI
import Base
import Git
import SourceSync

/// A job that began at one commit while its file now means another one.
struct SourceChange: Sendable, Hashable {
    let began: String
    let now: String
    /// Of a target with sync noop; nil when the job's repository has moved on.
    let directory: String?

    /// Seconds for asking a remote. The answer is only for the user's information.
    private static let patience = 20.0

    /// nil when the job has not begun, when nothing has changed, and when it cannot be determined whether something has.
    ///
    /// - Parameters:
    ///   - documents: of the job's file, with its paths resolved.
    ///   - cacheDirectory: where the snapshot of a directory with changes is kept, which a new job would use.
    static func of(_ job: EvalJob, comparedTo documents: JobDocuments, cacheDirectory: String) async -> SourceChange? {
        guard let began = job.status?.source?.commit else { return nil }
        let ref = documents.job.at("spec", "source", "ref")?.string
        let repo = documents.job.at("spec", "source", "repo")?.string
        let directory = documents.benchmarkDirectory
        let now =
            if let directory { await commit(in: directory, ref: ref, cacheDirectory) } else if let repo { await commit(of: repo, ref: ref) } else {
                String?.none
            }
        guard let now, now != began else { return nil }
        return SourceChange(began: began, now: now, directory: directory)
    }

    private static func commit(of repo: String, ref text: String?) async -> String? {
        if let text, let id = GitObjectID(text) { return id.hex }
        let ref = text.flatMap { try? GitRef(parsing: $0) }
        guard text == nil || ref != nil, let url = try? GitURL(parsing: repo, allowing: [.local, .shorthand]),
            let refs = try? await GitClient().listRemote(.init(url, credentials: .user), deadline: patience),
            case .commit(let id, _)? = try? refs.resolve(ref, place: url.text)
        else { return nil }
        return id.hex
    }

    /// The commit that a job would have that begins now.
    private static func commit(in directory: String, ref: String?, _ cacheDirectory: String) async -> String? {
        let resolver = SourceResolver(cacheDirectory: cacheDirectory, policy: [.local])
        return try? await NoopSync(directory: directory).sync(SyncRequest(repo: directory, ref: ref, credentials: .none), with: resolver).commit.hex
    }

    func notice(of name: String) -> String {
        let (began, now) = (began.prefix(12), now.prefix(12))
        let what =
            directory.map { "the job \(name) is of \($0) at commit \(began), where it began; the directory is now at \(now)" }
            ?? "the job \(name) is of commit \(began), where it began; its source is now at \(now)"
        return what + ", which does not run. To run that: the same command with --anew (earlier results stay), or the job under another name"
    }

    func refusal(of name: String) -> String {
        "the job \(name) began with its tasks at commit \(began.prefix(12)); they are now at \(now.prefix(12)). To run them as they are now: the "
            + "same command with --anew (earlier results stay), or the job under another name"
    }
}
