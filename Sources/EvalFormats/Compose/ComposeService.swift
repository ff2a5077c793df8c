import Base
import EvalModel

/// Reads one service that runs beside the trial.
struct ComposeService {
    /// The longest name: the container's has a prefix, and 63 characters at most.
    static let nameLength = 55

    let name: String
    let node: ComposeNode
    let environment: ComposeEnvironment
    let volumes: Set<String>

    /// nil for a service that is refused.
    func service(kind: TaskService.Kind, _ notes: inout ComposeNotes) -> TaskService? {
        guard ComposeNetworks.isLabel(name), name.utf8.count <= Self.nameLength else {
            notes.refuse(
                node.path,
                "a service's name must have at most \(Self.nameLength) small letters, digits and hyphens, because it is the name of a container")
            return nil
        }
        ComposeKeys.check(node, &notes)
        guard let image = ComposeBuild(service: node).image(&notes) else {
            if node["build"] == nil { notes.refuse(node.path, "has neither image nor build") }
            return nil
        }
        let entrypoint = words("entrypoint", &notes)
        let command = words("command", &notes)
        // A pod cannot clear an image's entrypoint: the command takes its place.
        if entrypoint == [], command?.isEmpty ?? true { notes.refuse("\(node.path).entrypoint", "is empty, and there is no command") }
        let clears = entrypoint == []
        var check = ComposeHealth(service: node).check(&notes)
        // A pod probes no container that is to end.
        if kind == .oneShot { check = nil }
        return TaskService(
            name: name, image: image, kind: kind, entrypoint: clears ? command : entrypoint,
            command: clears ? nil : command.flatMap { $0.isEmpty ? nil : $0 },
            env: environment.values, passedEnv: environment.passed.sorted(), workdir: node["working_dir"]?.text, user: user(&notes), check: check,
            mounts: ComposeMounts(service: node, declared: volumes, isMain: false).mounts(&notes), resources: resources(&notes),
            addedCapabilities: capabilities("cap_add", &notes), droppedCapabilities: capabilities("cap_drop", &notes),
            hasReadOnlyRoot: node["read_only"]?.flag ?? false, noNewPrivileges: hasNoNewPrivileges(&notes))
    }

    private func words(_ key: String, _ notes: inout ComposeNotes) -> [String]? {
        guard let value = node[key] else { return nil }
        if let text = value.text {
            if let words = ComposeValues.words(text) { return words }
            notes.refuse(value.path, "\"\(text)\" has a quote that is not closed")
            return nil
        }
        guard let words = value.texts else {
            notes.refuse(value.path, "must be a text or a list of texts")
            return nil
        }
        return words
    }

    private func user(_ notes: inout ComposeNotes) -> TaskService.User? {
        guard let value = node["user"] else { return nil }
        let parts = (value.text ?? "").split(separator: ":", omittingEmptySubsequences: false).map { $0 == "root" ? 0 : Int($0) }
        guard let id = parts.first ?? nil, parts.count <= 2, parts.allSatisfy({ (0...Int(Int32.max)).contains($0 ?? -1) }) else {
            notes.refuse(value.path, "\"\(value.value.text)\" must be a number, or two with a colon: a pod does not know the users of an image")
            return nil
        }
        return .init(id: id, group: parts.count == 2 ? parts[1] : nil)
    }

    private func capabilities(_ key: String, _ notes: inout ComposeNotes) -> [String] {
        guard let list = node[key] else { return [] }
        guard let texts = list.texts else {
            notes.refuse(list.path, "must be a list of capabilities")
            return []
        }
        return texts.map { name in name.uppercased().hasPrefix("CAP_") ? String(name.uppercased().dropFirst(4)) : name.uppercased() }.sorted()
    }

    /// What `security_opt` says of new privileges. Its other options are refused, or have no effect.
    private func hasNoNewPrivileges(_ notes: inout ComposeNotes) -> Bool {
        var noNew = false
        guard let list = node["security_opt"] else { return false }
        for text in list.texts ?? [] {
            switch text {
            case "no-new-privileges", "no-new-privileges:true", "no-new-privileges=true": noNew = true
            case "no-new-privileges:false", "no-new-privileges=false": break
            case let text where text.hasPrefix("label"): notes.warn(list.path, "\"\(text)\" has no effect in a pod")
            default: notes.refuse(list.path, "\"\(text)\" is not possible: a trial's pod has the runtime's default profiles")
            }
        }
        return noNew
    }

    private func resources(_ notes: inout ComposeNotes) -> ServiceResources {
        let limits = node["deploy"]?["resources"]?["limits"]
        let reserved = node["deploy"]?["resources"]?["reservations"]
        for key in ["devices", "generic_resources"] {
            if let found = reserved?[key] { notes.refuse(found.path, "a service has no devices: remove it") }
        }
        for (key, member) in node["deploy"]?.members ?? [] where key != "resources" && key != "replicas" {
            notes.warn(member.path, "has no effect in a pod")
        }
        func cpus(_ value: ComposeNode?) -> Double? {
            guard let value else { return nil }
            if let number = value.text.flatMap(Double.init), number > 0, number < 1e6 { return number }
            notes.refuse(value.path, "\"\(value.value.text)\" must be a number above 0")
            return nil
        }
        func memory(_ value: ComposeNode?) -> Int? {
            guard let value else { return nil }
            if let bytes = value.text.flatMap(ComposeValues.bytes), bytes > 0 { return max(1, (bytes + (1 << 20) - 1) >> 20) }
            notes.refuse(value.path, "\"\(value.value.text)\" is no amount, as 512m is")
            return nil
        }
        var resources = ServiceResources()
        resources.cpuLimit = cpus(limits?["cpus"] ?? node["cpus"])
        resources.cpus = min(cpus(reserved?["cpus"]) ?? resources.cpus, resources.cpuLimit ?? .greatestFiniteMagnitude)
        resources.memoryLimitMB = memory(limits?["memory"] ?? node["mem_limit"]) ?? resources.memoryLimitMB
        let reservedMemory = memory(reserved?["memory"] ?? node["mem_reservation"])
        // What is reserved beyond the default limit raises it.
        if limits?["memory"] == nil, node["mem_limit"] == nil { resources.memoryLimitMB = max(resources.memoryLimitMB, reservedMemory ?? 0) }
        resources.memoryMB = min(reservedMemory ?? resources.memoryLimitMB, resources.memoryLimitMB)
        return resources
    }
}
