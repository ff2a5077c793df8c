import Base
import Git
import KubeClient
import KubeCore
import Planning
import SourceSync

/// Git credentials from Secrets: read when needed, kept in private files, and sent to one host only.
struct CredentialSource: Sendable {
    let client: KubeClient
    let configuration: OperatorConfiguration
    private let apps = GitHubAppTokens()

    init(client: KubeClient, configuration: OperatorConfiguration) {
        self.client = client
        self.configuration = configuration
    }

    /// The credentials for pushing results: the job's Secret or, without one, the operator's own token for that address if it has one.
    func pushCredentials(for url: GitURL, secret: String?, namespace: String) async throws -> GitCredentials {
        if secret == nil, let own = configuration.tokenFiles.first(where: { $0.covers(url) }) { return try .tokenFile(own.file, for: url) }
        return try await credentials(for: url, secret: secret, namespace: namespace)
    }

    /// - Parameters:
    ///   - secret: the name of a Secret in the object's own namespace; other namespaces cannot be referenced.
    ///   - only: the repository that the Secret is for; a URL on another host gets no credentials.
    func credentials(for url: GitURL, secret: String?, namespace: String, only repo: String? = nil) async throws -> GitCredentials {
        guard !url.isLocal else { return configuration.setting == .laptop ? .user : .none }
        guard let secret else { return configuration.setting == .laptop ? .user : .none }
        if let repo, !url.sharesOrigin(with: repo, allowing: configuration.urlPolicy) { return .none }
        let object: JSONValue
        do { object = try await client.get(.secrets, ObjectKey(namespace: namespace, name: secret)) } catch {
            guard error.isNotFound else { throw error }
            throw ReconcileError.waiting(
                .secretNotFound, "there is no Secret \"\(secret)\" in namespace \(namespace); create it", on: .ready, retryAfterSeconds: 30)
        }
        let data = try await apps.resolved(SecretData.bytes(of: object), for: url)
        return try GitCredentials.secret(data, of: "\(namespace)/\(secret)", for: url, directory: "\(configuration.stateDirectory)/credentials")
    }
}
