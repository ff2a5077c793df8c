import Base
import EvalModel

/// Reads `image` and `build` of a service.
struct ComposeBuild {
    let service: ComposeNode

    private static let refused: [String: String] = [
        "dockerfile_inline": "write a Dockerfile in environment/", "additional_contexts": "put the files into environment/",
        "secrets": "a build gets no secrets", "ssh": "a build gets no keys", "entitlements": "a build has no privileges",
        "privileged": "a build has no privileges", "extra_hosts": "a build has its builder's network", "network": "a build has its builder's network",
    ]
    private static let ignored: Set<String> = [
        "tags", "labels", "cache_from", "cache_to", "pull", "no_cache", "platforms", "shm_size", "isolation", "ulimits", "provenance", "sbom",
    ]

    /// nil when the service has neither, or one that is refused.
    func image(_ notes: inout ComposeNotes) -> ServiceImage? {
        guard let build = service["build"] else {
            guard let name = service["image"]?.text, !name.isEmpty else { return nil }
            return name == ComposeVariables.mainImage ? .main : .own(.named(name))
        }
        if let folder = build.text { return self.build(folder, build, ComposeNode(.object([:])), &notes) }
        guard let members = build.members else {
            notes.refuse(build.path, "must be a folder or a map")
            return nil
        }
        for (key, node) in members
        where !["context", "dockerfile", "args", "target"].contains(key) && node.value != .bool(false) && !node.value.isNull {
            if let advice = Self.refused[key] {
                notes.refuse(node.path, advice)
            } else {
                notes.warn(node.path, Self.ignored.contains(key) ? "has no effect" : "is not a known key and is ignored")
            }
        }
        return self.build(build["context"]?.text ?? ".", build["context"] ?? build, build, &notes)
    }

    private func build(_ folder: String, _ place: ComposeNode, _ build: ComposeNode, _ notes: inout ComposeNotes) -> ServiceImage? {
        guard let context = ComposeValues.relative(folder) else {
            notes.refuse(place.path, "\"\(folder)\" is no folder in environment/: put the files there")
            return nil
        }
        let name = build["dockerfile"]?.text ?? "Dockerfile"
        guard let dockerfile = ComposeValues.relative(name), !dockerfile.isEmpty else {
            notes.refuse("\(service.path).build.dockerfile", "\"\(name)\" is no file in the context \"\(folder)\"")
            return nil
        }
        var arguments: [String: String] = [:]
        if let args = build["args"] {
            guard let pairs = args.pairs() else {
                notes.refuse(args.path, "must be a map, or a list of NAME=VALUE")
                return nil
            }
            // A name alone takes its value from the caller's environment, which a build does not have.
            for (name, _, value) in pairs { arguments[name] = value }
        }
        return .own(.built(.init(context: context, dockerfile: dockerfile, arguments: arguments, target: build["target"]?.text)))
    }
}
