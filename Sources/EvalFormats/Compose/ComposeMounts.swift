import Base
import EvalModel

/// Reads `volumes`, `tmpfs` and `shm_size` of a service.
struct ComposeMounts {
    let service: ComposeNode
    /// The names in the file's own `volumes`.
    let declared: Set<String>
    let isMain: Bool

    func mounts(_ notes: inout ComposeNotes) -> [ServiceMount] {
        var mounts: [ServiceMount] = []
        if let volumes = service["volumes"] {
            guard let elements = volumes.elements else {
                notes.refuse(volumes.path, "must be a list")
                return []
            }
            for element in elements { if let mount = mount(element, &notes) { mounts.append(mount) } }
        }
        if let list = service["tmpfs"] {
            for text in list.texts ?? [] {
                // `/path:size=64m,mode=1777`
                let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
                guard let target = parts.first, target.hasPrefix("/") else {
                    notes.refuse(list.path, "\"\(text)\" must be an absolute path")
                    continue
                }
                let size = (parts.count > 1 ? parts[1] : "").split(separator: ",").first { $0.hasPrefix("size=") }
                mounts.append(
                    .init(source: .scratch(inMemory: true, sizeBytes: size.flatMap { ComposeValues.bytes(String($0.dropFirst(5))) }), target: target))
            }
        }
        if let size = service["shm_size"] {
            if let bytes = size.text.flatMap(ComposeValues.bytes) {
                mounts.append(.init(source: .scratch(inMemory: true, sizeBytes: bytes), target: "/dev/shm"))
            } else {
                notes.refuse(size.path, "\"\(size.value.text)\" is no size, as 64m is")
            }
        }
        guard mounts.count <= ComposeFile.maximumEntries else {
            notes.refuse("\(service.path).volumes", "more than \(ComposeFile.maximumEntries) mounts")
            return []
        }
        for (index, mount) in mounts.enumerated() where mounts[..<index].contains(where: { $0.target == mount.target }) {
            notes.refuse("\(service.path).volumes", "\"\(mount.target)\" is mounted twice")
        }
        return mounts
    }

    private func mount(_ element: ComposeNode, _ notes: inout ComposeNotes) -> ServiceMount? {
        if let text = element.text { return short(text, element.path, &notes) }
        guard element.members != nil, let target = element["target"]?.text else {
            notes.refuse(element.path, "must be SOURCE:TARGET or a map with a target")
            return nil
        }
        let readOnly = element["read_only"]?.flag ?? false
        let source = element["source"]?.text ?? ""
        switch element["type"]?.text ?? "volume" {
        case "bind": return bind(source, target, readOnly, element.path, &notes)
        case "volume":
            let subpath = element["volume"]?["subpath"]?.text
            if let subpath, ComposeValues.relative(subpath) == nil {
                notes.refuse("\(element.path).volume.subpath", "\"\(subpath)\" must be a folder in the volume")
                return nil
            }
            return volume(source, target, readOnly, subpath.flatMap(ComposeValues.relative), element.path, &notes)
        case "tmpfs":
            return scratch(target, element["tmpfs"]?["size"]?.text.flatMap(ComposeValues.bytes), inMemory: true, element.path, &notes)
        case let kind:
            notes.refuse(element.path, "a mount of the type \"\(kind)\" is not possible: use bind, volume or tmpfs")
            return nil
        }
    }

    /// `[SOURCE:]TARGET[:OPTIONS]`
    private func short(_ text: String, _ path: String, _ notes: inout ComposeNotes) -> ServiceMount? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 3, !parts.contains("") else {
            notes.refuse(path, "\"\(text)\" must be SOURCE:TARGET or SOURCE:TARGET:ro")
            return nil
        }
        guard parts.count > 1 else { return scratch(text, nil, inMemory: false, path, &notes) }
        let options = (parts.count > 2 ? parts[2] : "").split(separator: ",")
        let readOnly = options.contains("ro")
        let isPath = parts[0].hasPrefix("/") || parts[0].hasPrefix(".") || parts[0].hasPrefix("~")
        return isPath ? bind(parts[0], parts[1], readOnly, path, &notes) : volume(parts[0], parts[1], readOnly, nil, path, &notes)
    }

    private func bind(_ source: String, _ target: String, _ readOnly: Bool, _ path: String, _ notes: inout ComposeNotes) -> ServiceMount? {
        if source.hasPrefix(ComposeVariables.hostLogs + "/") {
            let folder = String(source.dropFirst(ComposeVariables.hostLogs.count + 1))
            // The trial has its logs at these places anyway.
            if isMain, target == "/logs/\(folder)" { return nil }
            guard !isMain, folder != "verifier" else {
                notes.refuse(path, "the folder of the \(folder)'s logs is at /logs/\(folder) of main, and nowhere else")
                return nil
            }
            guard isTarget(target, path, &notes) else { return nil }
            return ServiceMount(source: .logs(folder), target: target, readOnly: readOnly)
        }
        if isMain, ["/logs/verifier", "/logs/agent", "/logs/artifacts"].contains(target) {
            notes.warn(path, "has no effect: the trial's logs are at \(target) anyway")
            return nil
        }
        guard isTarget(target, path, &notes) else { return nil }
        guard let file = ComposeValues.relative(source) else {
            notes.refuse(
                path, "\"\(source)\" is no file or folder in environment/, and nothing else of a machine can be mounted: put the files there")
            return nil
        }
        return ServiceMount(source: .files(file), target: target, readOnly: readOnly)
    }

    private func volume(
        _ name: String, _ target: String, _ readOnly: Bool, _ subpath: String?, _ path: String, _ notes: inout ComposeNotes
    ) -> ServiceMount? {
        guard !name.isEmpty else { return scratch(target, nil, inMemory: false, path, &notes) }
        guard isTarget(target, path, &notes) else { return nil }
        guard declared.contains(name) else {
            notes.refuse(path, "the volume \"\(name)\" is not in `volumes` of the file: add it there")
            return nil
        }
        return ServiceMount(source: .volume(name), target: target, readOnly: readOnly, subpath: subpath)
    }

    private func scratch(_ target: String, _ size: Int?, inMemory: Bool, _ path: String, _ notes: inout ComposeNotes) -> ServiceMount? {
        guard isTarget(target, path, &notes) else { return nil }
        return ServiceMount(source: .scratch(inMemory: inMemory, sizeBytes: size), target: target)
    }

    /// The paths of `main` that Assay mounts itself.
    private static let reserved = ["/tests", "/logs", "/assay", "/oracle", "/solution", "/opt/agent"]

    private func isTarget(_ target: String, _ path: String, _ notes: inout ComposeNotes) -> Bool {
        guard target.hasPrefix("/"), target != "/", !target.contains(":") else {
            notes.refuse(path, "\"\(target)\" must be an absolute path in the container")
            return false
        }
        if isMain, Self.reserved.contains(where: { target == $0 || target.hasPrefix($0 + "/") }) {
            notes.refuse(path, "\"\(target)\" is Assay's own in the trial: use another path")
            return false
        }
        return true
    }
}
