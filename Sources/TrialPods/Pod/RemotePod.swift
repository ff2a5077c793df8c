import AssayAPI
import Base
import TrialRuntime

/// What a pod has whose trial runs on the host of a vm target: `assay remote-trial` as its trial container, and the host's key, which only
/// that container mounts.
struct RemotePod {
    private let request: TrialPodRequest

    init(_ request: TrialPodRequest) { self.request = request }

    private var host: HostSpec? { request.target.type == .vm ? request.target.host : nil }

    var volumes: [JSONValue] {
        guard let host else { return [] }
        var volumes: [JSONValue] = []
        if let secret = host.sshSecretRef {
            volumes.append(["name": .string(TrialVolume.hostKey.rawValue), "secret": ["secretName": .string(secret.name), "defaultMode": 0o400]])
        }
        if let map = host.knownHostsRef {
            volumes.append(["name": .string(TrialVolume.knownHosts.rawValue), "configMap": ["name": .string(map.name)]])
        }
        return volumes
    }

    /// - Parameter ours: a container of the operator's image.
    func trial(_ ours: JSONValue, _ shared: SharedData) -> JSONValue {
        var container = ours
        let paths = TrialPaths()
        container["command"] = .array(ContainerRole.remoteTrial.map { .string($0) })
        var mounts = container["volumeMounts"]?.array ?? []
        for (volume, path) in [(TrialVolume.hostKey, paths.hostKey), (.knownHosts, paths.knownHosts)]
        where volumes.contains(where: { $0["name"]?.string == volume.rawValue }) {
            mounts.append(["name": .string(volume.rawValue), "mountPath": .string(path), "readOnly": true])
        }
        container["volumeMounts"] = .array(mounts)
        if let map = shared.environment {
            container["envFrom"] = [["prefix": .string(TrialVariables.given), "configMapRef": ["name": .string(map.name)]]]
        }
        return container
    }
}

extension HostSpec {
    /// How the host is reached.
    public var login: HostLogin { HostLogin(address: address, port: port, user: user ?? "root") }
}
