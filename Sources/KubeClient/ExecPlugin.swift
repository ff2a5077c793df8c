import Base
import Subprocess

/// A program that produces credentials: `users[].user.exec` in a kubeconfig (`client.authentication.k8s.io` v1 and v1beta1).
public struct ExecPlugin: Sendable, Hashable {
    public var apiVersion: String
    public var command: String
    public var arguments: [String]
    public var environment: [String: String]
    public var provideClusterInfo: Bool
    /// Shown to users who do not have the program.
    public var installHint: String
    /// Information about the cluster, passed to the plugin if the kubeconfig asks for it.
    public var cluster: JSONValue?

    static let versions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]
    /// After this time a plugin that hangs is stopped.
    static let deadlineSeconds = 60.0

    public init(
        apiVersion: String = "client.authentication.k8s.io/v1", command: String, arguments: [String] = [],
        environment: [String: String] = [:], provideClusterInfo: Bool = false, installHint: String = "",
        cluster: JSONValue? = nil
    ) {
        self.apiVersion = apiVersion
        self.command = command
        self.arguments = arguments
        self.environment = environment
        self.provideClusterInfo = provideClusterInfo
        self.installHint = installHint
        self.cluster = cluster
    }

    init(json: JSONValue, place: String, file: String) throws(KubeConfigError) {
        let version = json["apiVersion"]?.string ?? ""
        guard Self.versions.contains(version) else {
            throw KubeConfigError(
                "\(place).apiVersion is \"\(version)\": it must be \(Self.versions.joined(separator: " or "))")
        }
        guard let command = json["command"]?.string, !command.isEmpty else {
            throw KubeConfigError("\(place).command is missing")
        }
        if json["interactiveMode"]?.string == "Always" {
            throw KubeConfigError("\(place) needs a terminal (interactiveMode: Always), and there is none")
        }
        var environment: [String: String] = [:]
        for item in json["env"]?.array ?? [] {
            if let name = item["name"]?.string { environment[name] = item["value"]?.string ?? "" }
        }
        self.init(
            apiVersion: version,
            // A bare name is looked up in PATH. A path is relative to the kubeconfig file.
            command: command.contains("/") ? Path.resolve(command, besides: file) : command,
            arguments: json["args"]?.array?.compactMap { $0.string } ?? [], environment: environment,
            provideClusterInfo: json["provideClusterInfo"]?.bool ?? false,
            installHint: json["installHint"]?.string ?? "")
    }

    /// A plugin's output.
    struct Credential: Sendable, Hashable {
        var token: String?
        var certificate: [UInt8]?
        var key: [UInt8]?
        var expires: Timestamp?
    }

    /// Runs the program. Its standard output contains secrets and is never part of an error; its standard error is.
    func run() async throws(KubeError) -> Credential {
        var variables = environment
        var spec: [String: JSONValue] = ["interactive": .bool(false)]
        if let cluster { spec["cluster"] = cluster }
        let info: JSONValue = .object([
            "kind": "ExecCredential", "apiVersion": .string(apiVersion), "spec": .object(spec),
        ])
        variables["KUBERNETES_EXEC_INFO"] = info.text
        let program = Command(
            command, arguments, environment: .inheriting(adding: variables), deadlineSeconds: Self.deadlineSeconds,
            outputLimit: 1 << 20)
        let result: CommandResult
        do {
            result = try await program.run()
        } catch let error as SubprocessError {
            let hint = installHint.isEmpty ? "" : "\n\(installHint)"
            throw .credentials("credential plugin \(command): \(error)\(hint)")
        } catch is CancellationError {
            throw .transport(.cancelled)
        } catch {
            throw .credentials("credential plugin \(command): \(error)")
        }
        let output = String(result.stderrText.prefix(300)).split(whereSeparator: \.isNewline).joined(separator: " ")
            .replacingControls
        if result.timedOut {
            throw .credentials("credential plugin \(command) did not end within \(Int(Self.deadlineSeconds)) s: \(output)")
        }
        guard result.succeeded else {
            throw .credentials("credential plugin \(command) failed with \(result.exit): \(output)")
        }
        return try parse(result.stdout)
    }

    func parse(_ output: [UInt8]) throws(KubeError) -> Credential {
        guard let json = try? JSONValue(parsing: output), json["kind"]?.string == "ExecCredential" else {
            throw .credentials("credential plugin \(command): its output is not an ExecCredential")
        }
        guard json["apiVersion"]?.string == apiVersion else {
            throw .credentials(
                "credential plugin \(command) returned the apiVersion \(json["apiVersion"]?.string ?? "(none)"), "
                    + "but the kubeconfig names \(apiVersion): change one of them")
        }
        let status = json["status"]
        let credential = Credential(
            token: status?["token"]?.string.flatMap { $0.isEmpty ? nil : $0 },
            certificate: status?["clientCertificateData"]?.string.map { Array($0.utf8) },
            key: status?["clientKeyData"]?.string.map { Array($0.utf8) },
            expires: status?["expirationTimestamp"]?.string.flatMap { Timestamp(rfc3339: $0) })
        guard (credential.certificate == nil) == (credential.key == nil) else {
            throw .credentials("credential plugin \(command) returned a certificate without its key, or a key without its certificate")
        }
        guard credential.token != nil || credential.certificate != nil else {
            throw .credentials("credential plugin \(command) returned neither a token nor a certificate")
        }
        return credential
    }
}
