import Base
import HTTPTransport
import YAML

/// The content of kubeconfig files, merged: the first file that names an entry wins.
struct Kubeconfig {
    /// One parsed file.
    struct File {
        let path: String
        let content: JSONValue

        init(path: String) throws(KubeConfigError) {
            try self.init(path: path, bytes: try KubeConfig.fileBytes(path))
        }

        init(path: String, bytes: [UInt8]) throws(KubeConfigError) {
            self.path = path
            do {
                let documents = try YAML.documents(bytes)
                content = documents.first ?? .null
            } catch {
                throw KubeConfigError("kubeconfig \(path) is not YAML: \(error)")
            }
            guard content.isNull || content.object != nil else {
                throw KubeConfigError("kubeconfig \(path) is not a YAML mapping: is it the right file?")
            }
        }
    }

    /// An entry and its file. Paths in the entry are relative to the file.
    private struct Entry {
        let value: JSONValue
        let file: String
    }

    private var clusters: [String: Entry] = [:]
    private var users: [String: Entry] = [:]
    private var contexts: [String: Entry] = [:]
    private var currentContext = ""
    private let origin: String

    init(merging files: [File]) throws(KubeConfigError) {
        origin = files.map(\.path).joined(separator: ", ")
        for file in files {
            try Self.merge(file, "clusters", "cluster", &clusters)
            try Self.merge(file, "users", "user", &users)
            try Self.merge(file, "contexts", "context", &contexts)
            if currentContext.isEmpty { currentContext = file.content["current-context"]?.string ?? "" }
        }
    }

    private static func merge(
        _ file: File, _ list: String, _ field: String, _ entries: inout [String: Entry]
    ) throws(KubeConfigError) {
        guard let value = file.content[list], !value.isNull else { return }
        guard let items = value.array else { throw KubeConfigError("kubeconfig \(file.path): \(list) is not a list") }
        for (index, item) in items.enumerated() {
            guard let name = item["name"]?.string else {
                throw KubeConfigError("kubeconfig \(file.path): \(list)[\(index)] has no name")
            }
            if entries[name] == nil { entries[name] = Entry(value: item[field] ?? .null, file: file.path) }
        }
    }

    /// The configuration that a context selects.
    func config(context wanted: String?) throws(KubeConfigError) -> KubeConfig {
        let name = wanted ?? currentContext
        guard !name.isEmpty else {
            throw KubeConfigError("kubeconfig \(origin) sets no current-context: name a context (\(Self.list(contexts)))")
        }
        guard let context = contexts[name] else {
            throw KubeConfigError("kubeconfig \(origin) has no context \"\(name)\": it has \(Self.list(contexts))")
        }
        let clusterName = context.value["cluster"]?.string ?? ""
        guard let cluster = clusters[clusterName] else {
            throw KubeConfigError(
                "kubeconfig \(origin): context \"\(name)\" names the cluster \"\(clusterName)\", which is not there: "
                    + "it has \(Self.list(clusters))")
        }
        var config = try Self.config(cluster: cluster, named: clusterName)
        if let namespace = context.value["namespace"]?.string, !namespace.isEmpty { config.namespace = namespace }
        let userName = context.value["user"]?.string ?? ""
        if !userName.isEmpty {
            guard let user = users[userName] else {
                throw KubeConfigError(
                    "kubeconfig \(origin): context \"\(name)\" names the user \"\(userName)\", which is not there: "
                        + "it has \(Self.list(users))")
            }
            try Self.apply(user: user, named: userName, cluster: cluster, to: &config)
        }
        return config
    }

    private static func config(cluster: Entry, named name: String) throws(KubeConfigError) -> KubeConfig {
        let value = cluster.value
        let place = "kubeconfig \(cluster.file): clusters[\(name)]"
        let server = value["server"]?.string ?? ""
        guard server.hasPrefix("https://") || server.hasPrefix("http://") else {
            throw KubeConfigError("\(place).server is \"\(server)\": it must begin with https://")
        }
        var tls = TLSOptions()
        tls.authorities = try pem(value, "certificate-authority", cluster.file, place)
        tls.insecure = value["insecure-skip-tls-verify"]?.bool ?? false
        if tls.insecure, tls.authorities != nil {
            throw KubeConfigError("\(place) sets both insecure-skip-tls-verify and a certificate-authority: remove one")
        }
        if let serverName = value["tls-server-name"]?.string, !serverName.isEmpty { tls.serverName = serverName }
        // Go's client uses a user name in the address when there is no other credential.
        let (address, credential) = Self.splitUser(of: server)
        var config = KubeConfig(server: address, credential: credential, tls: tls)
        if let proxy = value["proxy-url"]?.string, !proxy.isEmpty { config.proxy = .url(proxy) }
        return config
    }

    /// Splits `http://user:password@host` into `http://host` and the credential.
    private static func splitUser(of server: String) -> (String, KubeCredential) {
        let parts = server.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return (server, .none) }
        let authority = parts[2].prefix { $0 != "/" }
        guard let at = authority.lastIndex(of: "@") else { return (server, .none) }
        let pair = authority[..<at].split(separator: ":", maxSplits: 1).map { percentDecoded($0) }
        let address = "\(parts[0])//\(parts[2][parts[2].index(after: at)...])"
        return (address, .basic(user: pair.first ?? "", password: pair.count > 1 ? pair[1] : ""))
    }

    private static func apply(
        user: Entry, named name: String, cluster: Entry, to config: inout KubeConfig
    ) throws(KubeConfigError) {
        let value = user.value
        let place = "kubeconfig \(user.file): users[\(name)]"
        config.tls.clientCertificate = try pem(value, "client-certificate", user.file, place)
        config.tls.clientKey = try pem(value, "client-key", user.file, place)
        guard (config.tls.clientCertificate == nil) == (config.tls.clientKey == nil) else {
            throw KubeConfigError("\(place) has a client certificate or a client key, not both: add the other")
        }
        if let provider = value["auth-provider"], !provider.isNull {
            throw KubeConfigError("\(place).auth-provider is no longer part of Kubernetes: use an exec plugin")
        }
        let token = value["token"]?.string ?? ""
        let tokenFile = value["tokenFile"]?.string ?? ""
        let basicUser = value["username"]?.string ?? ""
        if !tokenFile.isEmpty {
            config.credential = .tokenFile(
                path: Path.resolve(tokenFile, besides: user.file), initial: token.isEmpty ? nil : token)
        } else if !token.isEmpty {
            config.credential = .token(token)
        } else if !basicUser.isEmpty {
            config.credential = .basic(user: basicUser, password: value["password"]?.string ?? "")
        } else if let exec = value["exec"], !exec.isNull {
            var plugin = try ExecPlugin(json: exec, place: place + ".exec", file: user.file)
            if plugin.provideClusterInfo { plugin.cluster = try clusterInfo(config, cluster) }
            config.credential = .exec(plugin)
        }
        if let actingAs = value["as"]?.string, !actingAs.isEmpty {
            config.impersonation = KubeConfig.Impersonation(
                user: actingAs, uid: value["as-uid"]?.string,
                groups: value["as-groups"]?.array?.compactMap { $0.string } ?? [])
        }
    }

    /// The information about the cluster that a plugin gets: `client.authentication.k8s.io` `Cluster`.
    private static func clusterInfo(_ config: KubeConfig, _ cluster: Entry) throws(KubeConfigError) -> JSONValue {
        var info: [String: JSONValue] = ["server": .string(config.server)]
        if let name = config.tls.serverName { info["tls-server-name"] = .string(name) }
        if config.tls.insecure { info["insecure-skip-tls-verify"] = .bool(true) }
        switch config.tls.authorities {
        case .data(let bytes): info["certificate-authority-data"] = .string(Base64.encode(bytes))
        case .file(let path):
            info["certificate-authority-data"] = .string(Base64.encode(try KubeConfig.fileBytes(path)))
        case nil: break
        }
        if case .url(let proxy) = config.proxy { info["proxy-url"] = .string(proxy) }
        for item in cluster.value["extensions"]?.array ?? []
        where item["name"]?.string == "client.authentication.k8s.io/exec" {
            info["config"] = item["extension"]
        }
        return .object(info)
    }

    /// The value of `<field>-data` in base64, otherwise the content of the file that `<field>` names.
    private static func pem(
        _ value: JSONValue, _ field: String, _ file: String, _ place: String
    ) throws(KubeConfigError) -> TLSOptions.PEM? {
        if let data = value[field + "-data"]?.string, !data.isEmpty {
            switch Base64.decode(data) {
            case .success(let bytes): return .data(bytes)
            case .failure: throw KubeConfigError("\(place).\(field)-data is not base64")
            }
        }
        guard let path = value[field]?.string, !path.isEmpty else { return nil }
        let resolved = Path.resolve(path, besides: file)
        guard FileEntry.exists(resolved, followingLinks: true) else {
            throw KubeConfigError("\(place).\(field): \(resolved) does not exist")
        }
        return .file(resolved)
    }

    private static func list(_ entries: [String: Entry]) -> String {
        entries.isEmpty ? "none" : entries.keys.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
    }
}
