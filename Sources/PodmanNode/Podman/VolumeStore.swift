import Base
import Glibc

/// Why a volume cannot be set up now. As the kubelet does, the node reports a `FailedMount` event and tries again.
struct VolumeFailure: Error, Sendable, Hashable {
    var volume: String
    var reason: String
    var message: String { "MountVolume.SetUp failed for volume \"\(volume)\" : \(reason)" }
}

/// The volumes of pods as directories of the host. Secrets and in-memory volumes are on a tmpfs, all others in the state directory.
struct VolumeStore: Sendable {
    let directories: NodeDirectories
    /// A directory on a tmpfs; nil when there is none, and then all volumes are on disk.
    let memory: String?
    let cacheDirectory: String?

    init(directories: NodeDirectories, cacheDirectory: String?) {
        self.directories = directories
        self.cacheDirectory = cacheDirectory
        let candidate = "/dev/shm/assay-node-" + SHA256.hex(of: Array(directories.state.utf8)).prefix(16)
        memory = (try? Directory.make(candidate, mode: 0o700)) == nil ? nil : candidate
    }

    func path(of volume: NodeVolume, of uid: String) -> String {
        switch volume.kind {
        case .emptyDirectory(inMemory: true, _), .files:
            return "\(memory.map { "\($0)/\(uid)" } ?? directories.pod(uid) + "/volumes")/\(volume.name)"
        case .hostPath:
            return cacheDirectory ?? "\(directories.pod(uid))/volumes/\(volume.name)"
        default:
            return "\(directories.pod(uid))/volumes/\(volume.name)"
        }
    }

    func paths(of pod: NodePod) -> [String: String] {
        Dictionary(pod.volumes.map { ($0.name, path(of: $0, of: pod.uid)) }, uniquingKeysWith: { $1 })
    }

    /// The objects whose data the pod's volumes contain as files.
    static func references(of pod: NodePod) -> EnvironmentPlan.References {
        var references = EnvironmentPlan.References()
        for volume in pod.volumes {
            guard case .files(let sources, _) = volume.kind else { continue }
            for source in sources {
                if case .secret(let name, _, _) = source { references.secrets.insert(name) }
                if case .configMap(let name, _, _) = source { references.configMaps.insert(name) }
            }
        }
        return references
    }

    /// Makes every volume. A volume that exists already is left unchanged.
    func prepare(_ pod: NodePod, values: EnvironmentPlan.Values) throws(VolumeFailure) {
        for volume in pod.volumes {
            let path = path(of: volume, of: pod.uid)
            do {
                switch volume.kind {
                case .emptyDirectory:
                    if FileEntry.kind(path) == nil {
                        try Directory.make(path, mode: 0o777)
                        if let group = pod.fsGroup {
                            _ = chown(path, uid_t.max, gid_t(group))
                            _ = chmod(path, 0o2777)
                        }
                    }
                case .files(let sources, let mode):
                    if FileEntry.kind(path) == nil {
                        try write(try files(of: sources, in: volume, of: pod, values: values), to: path, mode: mode, group: pod.fsGroup)
                    }
                case .hostPath:
                    guard let cacheDirectory, FileEntry.kind(cacheDirectory) == .directory else {
                        throw VolumeFailure(volume: volume.name, reason: "hostPath type check failed: \(cacheDirectory ?? "") is not a directory")
                    }
                case .unsupported(let kind):
                    throw VolumeFailure(volume: volume.name, reason: "\(kind) is not supported on this node")
                }
            } catch let failure as VolumeFailure {
                throw failure
            } catch {
                throw VolumeFailure(volume: volume.name, reason: "\(error)")
            }
        }
    }

    func remove(_ uid: String) {
        if let memory { Directory.removeTree("\(memory)/\(uid)") }
        Directory.removeTree("\(directories.pod(uid))/volumes")
    }

    /// The kubelet's message about the first volume that is over its limit.
    func overLimit(_ pod: NodePod) -> String? {
        for volume in pod.volumes {
            guard case .emptyDirectory(_, let limit?) = volume.kind, let bytes = ResourceQuantity(limit)?.whole, bytes > 0 else { continue }
            if Directory.usage(of: path(of: volume, of: pod.uid), upTo: bytes) > bytes {
                return "Usage of EmptyDir volume \"\(volume.name)\" exceeds the limit \"\(limit)\". "
            }
        }
        return nil
    }

    static func hasLimits(_ pod: NodePod) -> Bool {
        pod.volumes.contains { if case .emptyDirectory(_, _?) = $0.kind { true } else { false } }
    }

    // MARK: Files

    private struct File {
        var bytes: [UInt8]
        var mode: Int?
    }

    private func files(
        of sources: [NodeVolume.FileSource], in volume: NodeVolume, of pod: NodePod, values: EnvironmentPlan.Values
    ) throws(VolumeFailure) -> [String: File] {
        var files: [String: File] = [:]
        for source in sources {
            switch source {
            case .secret(let name, let items, let optional):
                try add("secret", name, values.secrets[name], items, optional, to: &files, in: volume)
            case .configMap(let name, let items, let optional):
                try add("configmap", name, values.configMaps[name], items, optional, to: &files, in: volume)
            case .fields(let items):
                for item in items {
                    guard let value = values.fields.value(of: item.key, in: pod) else {
                        throw VolumeFailure(volume: volume.name, reason: "unsupported fieldPath: \(item.key)")
                    }
                    files[item.path] = File(bytes: Array(value.utf8), mode: item.mode)
                }
            case .unsupported(let kind):
                throw VolumeFailure(volume: volume.name, reason: "a projected \(kind) is not supported on this node")
            }
        }
        return files
    }

    private func add(
        _ kind: String, _ name: String, _ data: [String: [UInt8]]?, _ items: [NodeVolume.Item]?, _ optional: Bool,
        to files: inout [String: File], in volume: NodeVolume
    ) throws(VolumeFailure) {
        guard let data else {
            if optional { return }
            throw VolumeFailure(volume: volume.name, reason: "\(kind) \"\(name)\" not found")
        }
        guard let items else {
            for (key, bytes) in data { files[key] = File(bytes: bytes) }
            return
        }
        for item in items {
            guard let bytes = data[item.key] else {
                if optional { continue }
                let what = kind == "secret" ? "secret" : "config"
                throw VolumeFailure(volume: volume.name, reason: "references non-existent \(what) key: \(item.key)")
            }
            files[item.path] = File(bytes: bytes, mode: item.mode)
        }
    }

    /// Writes the files so that all of them appear at once.
    private func write(_ files: [String: File], to path: String, mode: Int, group: Int?) throws {
        let building = path + ".new"
        Directory.removeTree(building)
        try Directory.make(building, mode: 0o755)
        for (name, file) in files {
            let parts = name.split(separator: "/", omittingEmptySubsequences: false)
            guard !name.hasPrefix("/"), !parts.contains(".."), !parts.contains("") else {
                throw FileError("write outside the volume:", name, EINVAL)
            }
            let target = building + "/" + name
            if let slash = target.lastIndex(of: "/") { try Directory.make(String(target[..<slash]), mode: 0o755) }
            var bits = mode_t((file.mode ?? mode) & 0o777)
            if group != nil { bits |= 0o040 }
            try FileWriting.write(file.bytes, to: target, mode: bits)
            if let group { _ = chown(target, uid_t.max, gid_t(group)) }
        }
        guard rename(building, path) == 0 else { throw FileError("rename to", path) }
    }
}
