import Base
import EvalModel
import Git
import Glibc
import SourceSync

/// Implements the container of a pod that reads a claim: sends the files of a folder to the operator, as one commit. It is the commit that is checked
/// out there when nothing is changed, else a snapshot, as `NoopSync` has it.
public struct ClaimCommand: Sendable {
    private let environment: [String: String]
    private let root: String

    /// - Returns: the exit status of the container. The termination message has the commit, or says what is wrong.
    public static func run(environment: [String: String]) async -> Int32 {
        let command = ClaimCommand(environment: environment, root: environment[TrialVariables.root] ?? "")
        let message: ClaimMessage
        do { message = .sent(try await command.send()) } catch {
            message = .failure((error as? TrialError)?.message ?? "\(error)")
        }
        let path = environment[TrialVariables.terminationLog] ?? TrialPaths(root: command.root).terminationLog
        try? FileWriting.write(message.json.serialized(), to: path)
        guard case .failure(let why) = message else { return 0 }
        Log("claim").error(why)
        return 1
    }

    /// The files of a claim belong to anybody. git reads a repository of another user only when that is said, and nothing that the repository names is
    /// run. Call it before other threads exist.
    public static func prepareProcess(environment: [String: String]) {
        let settings = [
            ("safe.directory", folder(environment)), ("core.fsmonitor", "false"), ("core.hooksPath", "/dev/null"), ("core.pager", "cat"),
        ]
        setenv("GIT_CONFIG_COUNT", String(settings.count), 1)
        for (index, (key, value)) in settings.enumerated() {
            setenv("GIT_CONFIG_KEY_\(index)", key, 1)
            setenv("GIT_CONFIG_VALUE_\(index)", value, 1)
        }
    }

    private static func folder(_ environment: [String: String]) -> String {
        let folder = environment[ClaimContract.folder] ?? ""
        return ClaimContract.claim(environment[TrialVariables.root] ?? "") + (folder.isEmpty ? "" : "/\(folder)")
    }

    private func send() async throws -> ClaimMessage.Sent {
        guard let cache = try DeliveryCommand.cache(environment), let name = environment[ClaimContract.upload] else {
            throw TrialError(.internalError, "\(TrialVariables.cacheAddress) and \(ClaimContract.upload) are not both set")
        }
        let work = ClaimContract.work(root)
        let resolver = SourceResolver(cacheDirectory: "\(work)/cache", policy: [.local])
        let source = try await NoopSync(directory: Self.folder(environment)).sync(SyncRequest(repo: "", ref: nil), with: resolver)
        let mirror = resolver.mirrors.path(for: GitClient.Remote(source.url, extent: source.extent))
        let pack = try await resolver.git.pack(source.commit, of: mirror, base: "\(work)/claim")
        guard let sha256 = FileReading.sha256(of: pack) else { throw TrialError(.sourceSyncFailed, "\(pack) cannot be read") }
        try await ClaimUploadClient(address: cache.client.address, token: cache.token).send(pack, as: name)
        var info = stat()
        guard stat(pack, &info) == 0 else { throw TrialError(.sourceSyncFailed, "\(pack) is gone") }
        let head = source.snapshot.map { $0.head.flatMap { GitObjectID($0) } } ?? source.commit
        return .init(commit: source.commit, head: head, bytes: Int(info.st_size), sha256: sha256)
    }
}
