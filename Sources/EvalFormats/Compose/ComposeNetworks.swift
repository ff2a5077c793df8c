import EvalModel

/// The networks of a Compose file. A pod has one network, so that names of services are names of the pod.
struct ComposeNetworks {
    /// Every name that means the pod, sorted.
    let names: [String]

    init(_ declared: ComposeNode?, _ services: [(name: String, node: ComposeNode)], _ notes: inout ComposeNotes) {
        for (name, network) in declared?.members ?? [] {
            for (key, node) in network.members ?? [] where !["internal", "name", "labels", "attachable"].contains(key) && !node.value.isNull {
                notes.warn("networks.\(name).\(key)", "has no effect in a pod")
            }
        }
        func isInternal(_ name: String) -> Bool { declared?[name]?["internal"]?.flag == true }
        let main = services.first { $0.name == TaskArtifact.mainService }.map { Self.networks(of: $0.node) } ?? ["default"]
        if !main.isEmpty, main.allSatisfy(isInternal) {
            notes.refuse(
                "services.main.networks",
                "\(main.sorted().joined(separator: ", ")) is internal, which is not how a trial is kept from the network: use "
                    + "network_mode in task.toml")
        }
        var names: Set<String> = []
        for (name, service) in services {
            let own = Self.networks(of: service)
            if own.isDisjoint(with: main), service["network_mode"] == nil {
                notes.refuse(
                    "services.\(name).networks",
                    "has no network in common with main, but the services of a pod share one network: add it to one of main's")
            }
            if name != TaskArtifact.mainService, own.contains(where: isInternal), !own.contains(where: { !isInternal($0) }) {
                notes.warn("services.\(name).networks", "are internal, which has no effect in a pod: the service has the network of the trial")
            }
            names.formUnion(Self.names(name, service, &notes))
        }
        self.names = names.sorted()
    }

    private static func networks(of service: ComposeNode) -> Set<String> {
        guard let list = service["networks"] else { return ["default"] }
        return Set(list.members?.map(\.name) ?? list.texts ?? [])
    }

    private static func names(_ name: String, _ service: ComposeNode, _ notes: inout ComposeNotes) -> [String] {
        var names = [name]
        // A name of a service that is no DNS name is refused with the service.
        if !isHostName(name) { names = [] }
        for (network, member) in service["networks"]?.members ?? [] {
            for alias in member["aliases"]?.texts ?? [] {
                if isHostName(alias) {
                    names.append(alias)
                } else {
                    notes.refuse("\(service.path).networks.\(network).aliases", "\"\(alias)\" is no DNS name")
                }
            }
        }
        for key in ["container_name", "hostname"] {
            guard let text = service[key]?.text else { continue }
            if isHostName(text) {
                names.append(text)
            } else {
                notes.warn("\(service.path).\(key)", "is no DNS name and does not resolve")
            }
        }
        for link in service["links"]?.texts ?? [] {
            guard let colon = link.firstIndex(of: ":") else { continue }
            let alias = String(link[link.index(after: colon)...])
            if isHostName(alias) { names.append(alias) } else { notes.refuse("\(service.path).links", "\"\(alias)\" is no DNS name") }
        }
        return names
    }

    /// Whether a text is a DNS-1123 subdomain.
    static func isHostName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 253 && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { isLabel(String($0)) }
    }

    /// Whether a text is a DNS-1123 label.
    static func isLabel(_ text: String) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last, text.utf8.count <= 63 else { return false }
        func isPlain(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) }
        return isPlain(first) && isPlain(last) && text.utf8.allSatisfy { isPlain($0) || $0 == UInt8(ascii: "-") }
    }
}
