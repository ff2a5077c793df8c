import Base
import EvalModel
import YAML

/// What Assay reads of `environment/docker-compose.yaml`: the image of `main`.
enum ComposeFile {
    /// nil when `main` names no image of its own, or one that only Compose's variables tell, or when the file is not readable.
    static func mainImage(_ bytes: [UInt8]) -> ComposeImage? {
        guard let main = (try? YAML.parseSingle(bytes))?.at("services", "main") else { return nil }
        switch main["build"] {
        case .string(let context)?: return folder(context).map { .built(.init(context: $0)) }
        case .object(let build)?:
            guard let context = folder(build["context"]?.string ?? "."), build["dockerfile_inline"] == nil else { return nil }
            let target = build["target"]?.string
            return .built(
                .init(context: context, dockerfile: build["dockerfile"]?.string ?? "Dockerfile", arguments: arguments(build["args"]), target: target))
        default: return main["image"]?.string.flatMap { $0.contains("$") || $0.isEmpty ? nil : .named($0) }
        }
    }

    /// A folder at or below `environment/`; nil for any other place.
    private static func folder(_ text: String) -> String? {
        guard !text.hasPrefix("/"), !text.contains("$"), !text.contains("://") else { return nil }
        let parts = text.split(separator: "/").filter { $0 != "." }
        return parts.contains("..") ? nil : parts.joined(separator: "/")
    }

    /// A map, or a list of `NAME=VALUE`; a name alone takes its value from Compose's environment, which there is none of.
    private static func arguments(_ value: JSONValue?) -> [String: String] {
        if let map = value?.object { return map.compactMapValues(text) }
        var found: [String: String] = [:]
        for entry in value?.array ?? [] {
            guard let pair = entry.string, let equals = pair.firstIndex(of: "=") else { continue }
            found[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
        }
        return found
    }

    private static func text(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text): text
        case .object, .array, .null: nil
        default: value.text
        }
    }
}
