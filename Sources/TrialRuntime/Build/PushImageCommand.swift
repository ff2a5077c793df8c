import Base
import EvalModel
import Registry

/// Implements the last container of a build pod: stores the archive in the registry. The termination message has the image's digest.
public enum PushImageCommand {
    /// - Returns: the exit status of the container.
    public static func run(environment: [String: String], time: any TimeSource = SystemTime()) async -> Int32 {
        do {
            BuildMessage.pushed(digest: try await push(environment, time)).write(environment)
            return 0
        } catch {
            let message = (error as? TrialError)?.message ?? "\(error)"
            Log(BuildRole.push.containerName).error(message)
            BuildMessage.failure(TrialError(.environmentBuildFailed, message)).write(environment)
            return 1
        }
    }

    private static func push(_ environment: [String: String], _ time: any TimeSource) async throws -> String {
        let program = try BuildMessage.program(environment)
        let paths = BuildPaths(root: environment[TrialVariables.root] ?? "")
        guard FileEntry.exists(paths.image) else {
            throw TrialError(
                .environmentBuildFailed, "the builder ended without an image in \(paths.image): its command must write an OCI archive there")
        }
        let archive = try OCIArchive(paths.image)
        let login = FileReading.whole("\(paths.push)/\(RegistryCredentials.key)", limit: 1 << 20)
        let client = RegistryClient(
            try ImageRepository(parsing: program.repository), credentials: try login.map { try RegistryCredentials(dockerConfig: $0) } ?? .none,
            authorities: FileReading.whole("\(paths.authorities)/\(BuildPaths.authoritiesKey)", limit: 1 << 20))
        let backoff = BackoffPolicy(initialSeconds: 2, factor: 2, capSeconds: 30)
        var attempt = 1
        while true {
            do {
                return try await client.push(archive, tag: program.tag)
            } catch {
                // What is stored already is not sent again.
                guard error.kind == .unavailable, attempt < attempts else { throw error }
                let seconds = backoff.seconds(afterFailures: attempt)
                Log(BuildRole.push.containerName).warning("\(error); trying again in \(Int(seconds)) s")
                try await time.sleep(seconds: seconds)
                attempt += 1
            }
        }
    }

    /// About a minute together.
    private static let attempts = 5
}

/// The termination message of a build pod's containers of the operator's image.
public enum BuildMessage: Sendable, Hashable {
    case pushed(digest: String)
    case failure(TrialError)

    /// nil for a message that none of these containers has written.
    public init?(_ text: String) {
        guard let value = try? JSONValue(parsing: text) else { return nil }
        if let digest = value["digest"]?.string, digest.hasPrefix("sha256:"), digest.utf8.count == 71 {
            self = .pushed(digest: digest)
        } else if let error = value["error"], let type = error["type"]?.string.flatMap(TrialErrorType.init(rawValue:)) {
            self = .failure(TrialError(type, error["message"]?.string ?? ""))
        } else {
            return nil
        }
    }

    var json: JSONValue {
        switch self {
        case .pushed(let digest): ["digest": .string(digest)]
        case .failure(let error):
            ["error": ["type": .string(error.type.rawValue), "message": .string(DeliveryCommand.cut(error.message))]]
        }
    }

    func write(_ environment: [String: String]) {
        let path = environment[TrialVariables.terminationLog] ?? TrialPaths().terminationLog
        try? FileWriting.write(json.serialized(), to: path)
    }

    static func program(_ environment: [String: String]) throws -> BuildProgram {
        guard let text = environment[BuildVariables.program] else { throw TrialError(.internalError, "\(BuildVariables.program) is not set") }
        return try JSONValueDecoder().decode(BuildProgram.self, from: try JSONValue(parsing: text))
    }
}
