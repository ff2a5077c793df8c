import Base
import EvalModel

/// `environment/docker-compose.yaml`: what it adds to a task. Source: the Compose specification, and Harbor's own files, which it is merged with.
struct ComposeFile {
    static let path = TaskServices.file

    let services: TaskServices
    let main: ComposeMain
    let warnings: [String]

    /// The most services, and the most entries of one list. A pod with more would not start anyway.
    static let maximumServices = 50
    static let maximumEntries = 200

    /// Reads the file.
    ///
    /// - Parameter files: the content of the document's `environmentFiles`, without those that do not exist.
    /// - Throws: `task_invalid` with every key that a pod cannot express.
    static func read(_ document: ComposeDocument, files: [String: [UInt8]]) throws(TrialError) -> ComposeFile {
        var notes = document.notes
        var environments: [String: ComposeEnvironment] = [:]
        for (name, service) in document.services {
            environments[name] = ComposeEnvironment(service, document.variables, files: files, &notes)
        }
        let file = ComposeFile(document, environments, &notes)
        guard notes.refusals.isEmpty else { throw ComposeDocument.invalid(document.task, notes.refusals) }
        return ComposeFile(services: file.services, main: file.main, warnings: notes.warnings)
    }

    private init(services: TaskServices, main: ComposeMain, warnings: [String]) {
        self.services = services
        self.main = main
        self.warnings = warnings
    }

    private init(_ document: ComposeDocument, _ environments: [String: ComposeEnvironment], _ notes: inout ComposeNotes) {
        let root = document.root
        for (key, node) in root.members ?? [] where !["services", "version", "name", "volumes", "networks"].contains(key) && !key.hasPrefix("x-") {
            switch key {
            case "configs", "secrets": break  // Refused where a service uses them.
            case "include": notes.refuse(key, "write the services into this file")
            default: notes.warn(node.path, "is not a known key and is ignored")
            }
        }
        let active = document.services
        let volumes = Self.volumes(root["volumes"], &notes)
        let networks = ComposeNetworks(root["networks"], active, &notes)
        let order = ComposeOrder(active, &notes)
        let completed = order.awaited(.completed)
        let main = active.first { $0.name == TaskArtifact.mainService }?.node ?? ComposeNode(.object([:]), path: "services.main")
        self.main = ComposeMain(main, environments[TaskArtifact.mainService] ?? ComposeEnvironment(), volumes, &notes)

        var services: [TaskService] = []
        for name in order.order(active.map(\.name).filter { $0 != TaskArtifact.mainService }, &notes) {
            guard let node = active.first(where: { $0.name == name })?.node else { continue }
            let reader = ComposeService(name: name, node: node, environment: environments[name] ?? ComposeEnvironment(), volumes: volumes)
            if let service = reader.service(kind: completed[name] == nil ? .server : .oneShot, &notes) { services.append(service) }
        }
        for (name, path) in order.awaited(.healthy).sorted(by: { $0.key < $1.key }) {
            guard let service = services.first(where: { $0.name == name }) else { continue }
            if service.kind == .oneShot {
                notes.refuse(path, "\"\(name)\" cannot be healthy and completed: wait for one of them")
            } else if service.check == nil {
                notes.refuse(
                    "services.\(name).healthcheck", "is missing, and \(path) waits for it: the health check of an image is not known in a pod")
            }
        }
        ComposePorts.check(active, &notes)
        let isAlone = services.isEmpty
        self.services = TaskServices(
            services: services, names: isAlone ? [] : networks.names, hosts: Self.hosts(active, &notes), mainMounts: self.main.mounts)
        warnings = []
    }

    // MARK: Parts of the file

    /// The names of the file's volumes.
    private static func volumes(_ node: ComposeNode?, _ notes: inout ComposeNotes) -> Set<String> {
        var names: Set<String> = []
        for (name, volume) in node?.members ?? [] {
            names.insert(name)
            if let external = volume["external"], external.flag != false {
                notes.refuse(external.path, "a trial has no volume of another's: put the files into environment/")
            }
            if let driver = volume["driver"], driver.text != "local" {
                notes.refuse(driver.path, "a volume is an empty folder of the trial: remove it")
            }
            if let options = volume["driver_opts"], options.value != .object([:]) {
                notes.refuse(options.path, "a volume is an empty folder of the trial: use tmpfs or a bind mount of the service")
            }
            for (key, member) in volume.members ?? [] where !["external", "driver", "driver_opts", "name", "labels"].contains(key) {
                notes.warn(member.path, "is not a known key and is ignored")
            }
        }
        return names
    }

    /// `extra_hosts` of all services: the containers of a pod share them.
    private static func hosts(_ services: [(name: String, node: ComposeNode)], _ notes: inout ComposeNotes) -> [String: [String]] {
        var hosts: [String: Set<String>] = [:]
        for (_, service) in services {
            guard let list = service["extra_hosts"] else { continue }
            guard let pairs = list.pairs(["=", ":"]) else {
                notes.refuse(list.path, "must be a map, or a list of NAME:ADDRESS")
                continue
            }
            for (name, node, _) in pairs {
                for text in node?.texts ?? [""] {
                    let address = String(text.trimming { $0 == "[" || $0 == "]" })
                    if address == "host-gateway" {
                        notes.refuse(list.path, "host-gateway is the machine itself, which no trial reaches: run what is needed as a service")
                    } else if IPAddress(address) == nil {
                        notes.refuse(list.path, "\"\(text)\" is no IP address")
                    } else if !ComposeNetworks.isHostName(name) {
                        notes.refuse(list.path, "\"\(name)\" is no DNS name")
                    } else {
                        hosts[address, default: []].insert(name)
                    }
                }
            }
        }
        return hosts.mapValues { $0.sorted() }
    }
}

/// Ports that more than one service listens on, as far as the file says: the services of a pod share its ports.
enum ComposePorts {
    static func check(_ services: [(name: String, node: ComposeNode)], _ notes: inout ComposeNotes) {
        var taken: [String: String] = [:]
        for (name, service) in services {
            for port in ports(of: service, &notes).sorted() {
                if let other = taken[port], other != name {
                    notes.refuse(
                        "services.\(name).ports",
                        "the port \(port) is also that of \"\(other)\", and the services of a pod share its ports: have one of "
                            + "them listen on another port")
                }
                taken[port] = taken[port] ?? name
            }
        }
    }

    /// The ports in the container, with their protocol: `80/tcp`.
    private static func ports(of service: ComposeNode, _ notes: inout ComposeNotes) -> Set<String> {
        var found: Set<String> = []
        for key in ["expose", "ports"] {
            guard let list = service[key] else { continue }
            guard let elements = list.elements, elements.count <= ComposeFile.maximumEntries else {
                notes.refuse(list.path, "must be a list of at most \(ComposeFile.maximumEntries) ports")
                continue
            }
            for element in elements {
                let text = element["target"]?.text.map { "\($0)/\(element["protocol"]?.text ?? "tcp")" } ?? element.text
                guard let text, let ports = Self.ports(text) else {
                    notes.refuse(element.path, "\"\(element.value.text)\" is no port")
                    continue
                }
                found.formUnion(ports)
            }
        }
        return found
    }

    /// `[[ADDRESS:]HOST:]PORT[-PORT][/PROTOCOL]`
    private static func ports(_ text: String) -> [String]? {
        let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
        let numbers = (parts.first?.split(separator: ":").last ?? "").split(separator: "-").map { Int($0) }
        guard numbers.count <= 2, let first = numbers.first ?? nil, let last = numbers.last ?? nil, first > 0, last <= 65535, first <= last,
            last - first < 1000
        else { return nil }
        return (first...last).map { "\($0)/\(parts.count > 1 ? parts[1].lowercased() : "tcp")" }
    }
}
