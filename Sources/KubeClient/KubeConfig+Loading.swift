import Base
import HTTPTransport
import Subprocess

extension KubeConfig {
    /// Reads kubeconfig files by the rules of kubectl.
    ///
    /// - Parameters:
    ///   - kubeconfigPath: only this file. nil: the files in `KUBECONFIG` (the first file that names an entry wins, files that do not exist are
    ///     skipped), otherwise `~/.kube/config`.
    ///   - context: nil: `current-context`.
    public static func load(
        kubeconfigPath: String? = nil, context: String? = nil, environment: [String: String] = currentEnvironment()
    ) throws(KubeConfigError) -> KubeConfig {
        let files = try kubeconfigFiles(kubeconfigPath, environment)
        return try Kubeconfig(merging: files).config(context: context)
    }

    /// The service account of the pod that this process runs in. The token is read again each minute, the authorities for each new connection.
    ///
    /// - Parameter directory: where the service account is mounted.
    public static func inCluster(
        environment: [String: String] = currentEnvironment(),
        directory: String = "/var/run/secrets/kubernetes.io/serviceaccount"
    ) throws(KubeConfigError) -> KubeConfig {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], !host.isEmpty,
            let port = environment["KUBERNETES_SERVICE_PORT"], !port.isEmpty
        else {
            throw KubeConfigError(
                "not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set; "
                    + "give a kubeconfig, or run in a pod")
        }
        let token = directory + "/token"
        do { _ = try KubeConfig.fileText(token) } catch {
            throw KubeConfigError("in-cluster configuration: \(error.message); set automountServiceAccountToken: true")
        }
        let authorities = directory + "/ca.crt"
        guard FileEntry.exists(authorities, followingLinks: true) else {
            throw KubeConfigError("in-cluster configuration: \(authorities) does not exist; Kubernetes mounts it together with the token")
        }
        let namespace = (try? KubeConfig.fileText(directory + "/namespace")).flatMap { $0.isEmpty ? nil : $0 }
        return KubeConfig(
            server: "https://\(host.contains(":") ? "[\(host)]" : host):\(port)", namespace: namespace ?? "default",
            credential: .tokenFile(path: token, initial: nil), tls: TLSOptions(authorities: .file(authorities)))
    }

    /// Uses the named kubeconfig, otherwise the one in the environment, otherwise the pod's service account, otherwise `~/.kube/config`.
    public static func automatic(
        kubeconfigPath: String? = nil, context: String? = nil, environment: [String: String] = currentEnvironment()
    ) throws(KubeConfigError) -> KubeConfig {
        let named = kubeconfigPath != nil || !(environment["KUBECONFIG"] ?? "").isEmpty
        if !named, !(environment["KUBERNETES_SERVICE_HOST"] ?? "").isEmpty {
            return try inCluster(environment: environment)
        }
        return try load(kubeconfigPath: kubeconfigPath, context: context, environment: environment)
    }

    private static func kubeconfigFiles(
        _ path: String?, _ environment: [String: String]
    ) throws(KubeConfigError) -> [Kubeconfig.File] {
        if let path { return [try Kubeconfig.File(path: path)] }
        let list = environment["KUBECONFIG"] ?? ""
        if list.isEmpty {
            guard let home = environment["HOME"], !home.isEmpty else {
                throw KubeConfigError("no kubeconfig: neither KUBECONFIG nor HOME is set; give the file's path")
            }
            let path = home + "/.kube/config"
            guard FileEntry.exists(path, followingLinks: true) else {
                throw KubeConfigError("no kubeconfig: \(path) does not exist and KUBECONFIG is not set; give the file's path")
            }
            return [try Kubeconfig.File(path: path)]
        }
        let paths = list.split(separator: ":").map(String.init)
        var files: [Kubeconfig.File] = []
        for path in paths where FileEntry.exists(path, followingLinks: true) { files.append(try Kubeconfig.File(path: path)) }
        guard !files.isEmpty else {
            throw KubeConfigError("no kubeconfig: none of the files of KUBECONFIG exists (\(paths.joined(separator: ", ")))")
        }
        return files
    }
}

// MARK: Files that a configuration names

extension KubeConfig {
    /// The content of a file, at most 16 MiB, which is more than any certificate bundle or kubeconfig has.
    static func fileBytes(_ path: String) throws(KubeConfigError) -> [UInt8] {
        do throws(FileError) { return try FileReading.bytes(path, limit: 16 << 20) } catch {
            throw KubeConfigError(error.description + (error.isTooLarge ? " (more than 16 MiB: is it the right file?)" : ""))
        }
    }

    /// The content as text, without white space around it.
    static func fileText(_ path: String) throws(KubeConfigError) -> String { String(decoding: try fileBytes(path), as: UTF8.self).trimmed }
}
