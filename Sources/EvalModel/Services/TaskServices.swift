/// What a task's `environment/docker-compose.yaml` adds to the trial, which is its service `main`.
public struct TaskServices: Sendable, Hashable, Codable {
    /// Exactly this name makes a task with services.
    public static let file = "environment/docker-compose.yaml"

    /// In the order in which they start: each after what it depends on.
    public var services: [TaskService]
    /// Names of services, which mean the pod itself: sorted, without `main`.
    public var names: [String]
    /// Other names that containers can resolve, by address (`extra_hosts`).
    public var hosts: [String: [String]]
    /// What `main` mounts.
    public var mainMounts: [ServiceMount]

    public init(services: [TaskService] = [], names: [String] = [], hosts: [String: [String]] = [:], mainMounts: [ServiceMount] = []) {
        self.services = services
        self.names = names
        self.hosts = hosts
        self.mainMounts = mainMounts
    }

    public var isEmpty: Bool { self == TaskServices() }

    private var mounts: [ServiceMount] { mainMounts + services.flatMap(\.mounts) }

    /// The named volumes that are mounted, sorted.
    public var volumes: [String] {
        Set(
            mounts.compactMap { mount in
                if case .volume(let name) = mount.source { return name }
                return nil
            }
        ).sorted()
    }

    /// The files and folders below `environment/` that are delivered: sorted, none inside another one. Empty text is `environment/` itself.
    public var files: [String] {
        let all = Set(
            mounts.compactMap { mount in
                if case .files(let path) = mount.source { return path }
                return nil
            }
        ).sorted()
        var roots: [String] = []
        for path in all where !roots.contains(where: { $0.isEmpty || path.hasPrefix($0 + "/") }) { roots.append(path) }
        return roots
    }

    public subscript(name: String) -> TaskService? { services.first { $0.name == name } }

    /// Where the collector finds a path of a service's container: the named volume that is mounted there, and the path in it. nil for a path
    /// that is on no named volume.
    public func place(of path: String, in service: String) -> (volume: String, names: [String])? {
        let names = Self.names(path)
        let found = (self[service]?.mounts ?? []).filter { names.starts(with: Self.names($0.target)) }
            .max { Self.names($0.target).count < Self.names($1.target).count }
        guard let found, case .volume(let volume) = found.source else { return nil }
        return (volume, Self.names(found.subpath ?? "") + names.dropFirst(Self.names(found.target).count))
    }

    private static func names(_ path: String) -> [String] { path.split(separator: "/").filter { $0 != "." }.map(String.init) }
}
