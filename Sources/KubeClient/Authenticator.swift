import Base

/// The credentials that one request is sent with.
struct Signature: Sendable, Hashable {
    var authorization: String?
    /// Used instead of the certificate in the client's configuration.
    var certificate: [UInt8]?
    var key: [UInt8]?
}

/// Holds the credential and renews it when it expires or is rejected.
actor Authenticator {
    private let credential: KubeCredential
    private let time: any TimeSource
    private let log: Log
    private var file: TokenFileState
    private var made: ExecPlugin.Credential?
    private var making: Task<ExecPlugin.Credential, any Error>?

    /// A plugin's credential is replaced this long before it expires, in seconds.
    private static let leeway = 10.0

    init(_ credential: KubeCredential, time: any TimeSource, log: Log) {
        self.credential = credential
        self.time = time
        self.log = log
        if case .tokenFile(_, let initial) = credential {
            file = TokenFileState(initial: initial)
        } else {
            file = TokenFileState(initial: nil)
        }
    }

    func signature() async throws(KubeError) -> Signature {
        switch credential {
        case .none: return Signature()
        case .token(let token): return Signature(authorization: "Bearer " + token)
        case .basic(let user, let password):
            return Signature(authorization: "Basic " + Base64.encode(Array("\(user):\(password)".utf8)))
        case .tokenFile(let path, _): return Signature(authorization: "Bearer " + (try fileToken(path)))
        case .exec(let plugin): return Self.signature(try await pluginCredential(plugin))
        }
    }

    /// Called when the server answered 401 to `signature`. Returns whether a retry with a new signature may succeed.
    func rejected(_ signature: Signature) async -> Bool {
        switch credential {
        case .none, .token, .basic: return false
        case .tokenFile:
            guard let authorization = signature.authorization else { return false }
            file.rejected(String(authorization.dropFirst("Bearer ".count)))
        case .exec:
            if let made, Self.signature(made) == signature { self.made = nil }
        }
        guard let next = try? await self.signature() else { return false }
        return next != signature
    }

    private func fileToken(_ path: String) throws(KubeError) -> String {
        let now = time.monotonic()
        if case .use(let token) = file.step(now: now) { return token }
        var problem = "the file is empty"
        var text: String?
        do { text = try KubeConfig.fileText(path) } catch { problem = error.message }
        guard let token = file.didRead(text, now: now) else {
            throw .credentials(
                "no token for the API server: \(path): \(problem); it is read again with the next request")
        }
        if text?.isEmpty ?? true {
            log.warning(
                "token file not usable, the old token is kept", ["path": .string(path), "problem": .string(problem)])
        }
        return token
    }

    private func pluginCredential(_ plugin: ExecPlugin) async throws(KubeError) -> ExecPlugin.Credential {
        if let made, made.expires.map({ $0 - time.now() > Self.leeway }) ?? true { return made }
        // All waiting callers share one run of the plugin. The run continues when one of them is cancelled.
        let task: Task<ExecPlugin.Credential, any Error>
        if let making {
            task = making
        } else {
            task = Task { try await plugin.run() }
            making = task
        }
        let result = await task.result
        // The state is checked again, because another caller may have renewed the credential during the wait.
        if making == task {
            making = nil
            if case .success(let credential) = result { made = credential }
        }
        do {
            return try result.get()
        } catch let error as KubeError {
            throw error
        } catch {
            throw .credentials("\(error)")
        }
    }

    private static func signature(_ made: ExecPlugin.Credential) -> Signature {
        Signature(
            authorization: made.token.map { "Bearer " + $0 }, certificate: made.certificate, key: made.key)
    }
}
