import AssayAPI
import Base
import EvalModel
import TrialRuntime

/// The services of a task's Compose file in its trial's pod: native sidecars, and init containers for those that end before the trial begins.
struct ServicePod {
    let request: TrialPodRequest

    private var services: TaskServices { request.task.environment.services }

    init(_ request: TrialPodRequest) { self.request = request }

    /// The longest that the services may take to start, by their health checks.
    var startSeconds: Double {
        services.services.compactMap(\.check).reduce(0) { $0 + Double($1.failureThreshold * $1.periodSeconds + $1.timeoutSeconds) }
    }

    /// The names of services are the pod itself.
    var hostAliases: [JSONValue] {
        var names = services.hosts
        if !services.names.isEmpty { names["127.0.0.1", default: []] += services.names }
        return names.sorted { $0.key < $1.key }.map { address, names in
            ["ip": .string(address), "hostnames": .array(Array(Set(names)).sorted().map { .string($0) })]
        }
    }

    // MARK: Volumes

    /// The name of the pod's volume for a named one: the names of Compose volumes may have characters that the pod's may not.
    static func volumeName(_ name: String, in services: TaskServices) -> String { "volume-\(services.volumes.firstIndex(of: name) ?? 0)" }

    /// Folders of one container only, in the order of the containers, the trial first.
    private var scratch: [(container: String, mount: ServiceMount)] {
        ([(ContainerRole.trial.containerName, services.mainMounts)]
            + services.services.map { (ContainerRole.service($0.name).containerName, $0.mounts) })
            .flatMap { container, mounts in
                mounts.compactMap { mount in
                    if case .scratch = mount.source { return (container, mount) }
                    return nil
                }
            }
    }

    var volumes: [JSONValue] {
        services.volumes.map { ["name": .string(Self.volumeName($0, in: services)), "emptyDir": [:]] }
            + scratch.enumerated().map { index, entry in
                var source: JSONValue = [:]
                if case .scratch(let inMemory, let size) = entry.mount.source {
                    if inMemory { source["medium"] = "Memory" }
                    if let size { source["sizeLimit"] = .string(String(size)) }
                }
                return ["name": .string("scratch-\(index)"), "emptyDir": source]
            }
    }

    /// What the trial mounts.
    var mainMounts: [JSONValue] { mounts(services.mainMounts, of: .trial) }

    private func mounts(_ mounts: [ServiceMount], of role: ContainerRole) -> [JSONValue] {
        mounts.map { mount in
            var value: JSONValue = ["mountPath": .string(mount.target)]
            switch mount.source {
            case .volume(let name):
                value["name"] = .string(Self.volumeName(name, in: services))
                value["subPath"] = mount.subpath.flatMap { $0.isEmpty ? nil : .string($0) }
            case .files(let path):
                value["name"] = .string(TrialVolume.environment.rawValue)
                if !path.isEmpty { value["subPath"] = .string(path) }
            case .logs(let folder):
                value["name"] = .string(TrialVolume.logs.rawValue)
                value["subPath"] = .string(folder)
            case .scratch:
                let index = scratch.firstIndex { $0.container == role.containerName && $0.mount == mount } ?? 0
                value["name"] = .string("scratch-\(index)")
            }
            if mount.readOnly { value["readOnly"] = true }
            return value
        }
    }

    // MARK: Containers

    /// - Throws: `internal_error` for a service whose image is not built.
    func containers() throws(TrialError) -> [JSONValue] {
        var containers: [JSONValue] = []
        for service in services.services {
            guard let image = request.image(of: service) else {
                throw TrialError(.internalError, "the image of the service \"\(service.name)\" of task \"\(request.task.name)\" is not built")
            }
            containers.append(container(service, image))
        }
        return containers
    }

    private func container(_ service: TaskService, _ image: String) -> JSONValue {
        let role = ContainerRole.service(service.name)
        var container: JSONValue = [
            "name": .string(role.containerName), "image": .string(image), "resources": resources(service.resources),
        ]
        if service.kind == .server { container["restartPolicy"] = "Always" }
        if let words = service.entrypoint { container["command"] = Self.words(words) }
        if let words = service.command { container["args"] = Self.words(words) }
        if let folder = service.workdir { container["workingDir"] = .string(folder) }
        let env = PodEnvironment(request: request, shared: request.shared).service(service)
        if !env.isEmpty { container["env"] = .array(env) }
        let mounts = mounts(service.mounts, of: role)
        if !mounts.isEmpty { container["volumeMounts"] = .array(mounts) }
        let security = security(service)
        if security.object?.isEmpty == false { container["securityContext"] = security }
        if let check = service.check {
            container["startupProbe"] = [
                "exec": ["command": Self.words(check.command)], "periodSeconds": JSONValue(check.periodSeconds),
                "timeoutSeconds": JSONValue(check.timeoutSeconds), "failureThreshold": JSONValue(check.failureThreshold),
            ]
        }
        return container
    }

    private static func words(_ words: [String]) -> JSONValue { .array(words.map { .string(PodEnvironment.escaped($0)) }) }

    private func resources(_ resources: ServiceResources) -> JSONValue {
        var limits: JSONValue = ["memory": .string("\(resources.memoryLimitMB)Mi"), "ephemeral-storage": .string("\(ServiceResources.storageMB)Mi")]
        if let cpus = resources.cpuLimit { limits["cpu"] = .string(TrialResources.cpu(cpus)) }
        return ["requests": ["cpu": .string(TrialResources.cpu(resources.cpus)), "memory": .string("\(resources.memoryMB)Mi")], "limits": limits]
    }

    private func security(_ service: TaskService) -> JSONValue {
        var security: JSONValue = [:]
        if let user = service.user {
            security["runAsUser"] = JSONValue(user.id)
            security["runAsGroup"] = user.group.map { JSONValue($0) }
        }
        var capabilities: JSONValue = [:]
        if !service.addedCapabilities.isEmpty { capabilities["add"] = .array(service.addedCapabilities.map { .string($0) }) }
        if !service.droppedCapabilities.isEmpty { capabilities["drop"] = .array(service.droppedCapabilities.map { .string($0) }) }
        if capabilities.object?.isEmpty == false { security["capabilities"] = capabilities }
        if service.hasReadOnlyRoot { security["readOnlyRootFilesystem"] = true }
        if service.noNewPrivileges { security["allowPrivilegeEscalation"] = false }
        return security
    }
}
