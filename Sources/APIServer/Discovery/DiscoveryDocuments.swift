import Base
import HTTPServing

/// The discovery documents of the server: versions, groups, resources, OpenAPI.
final class DiscoveryDocuments: Sendable {
    private struct Cached {
        var generation = -1
        var openAPI: [String: (hash: String, bytes: [UInt8])] = [:]
    }

    private let registry: KindRegistry
    private let cache = Locked(Cached())

    init(registry: KindRegistry) { self.registry = registry }

    static let versionDocument: JSONValue = [
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35", "gitVersion": "v1.36.2+assay", "gitCommit": "", "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "swift", "platform": "linux/amd64",
    ]

    func answer(_ request: ServerRequest, _ format: OutputFormat, _ path: [String]) throws(APIFailure) -> ServerResponse {
        guard request.method == "GET" || request.method == "HEAD" else { throw .methodNotAllowed }
        switch (path.first, path.count) {
        case (nil, _):
            return reply(
                format, ["paths": ["/api", "/api/v1", "/apis", "/healthz", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]])
        case ("version", _): return reply(format, Self.versionDocument)
        case ("api", 1):
            if format.discovery != nil { return aggregated(request, isCore: true) }
            return reply(
                format,
                [
                    "kind": "APIVersions", "versions": ["v1"],
                    "serverAddressByClientCIDRs": [
                        ["clientCIDR": "0.0.0.0/0", "serverAddress": .string(request.header("host") ?? "")]
                    ],
                ])
        case ("apis", 1):
            if format.discovery != nil { return aggregated(request, isCore: false) }
            return reply(format, ["kind": "APIGroupList", "apiVersion": "v1", "groups": .array(groups.map { group($0) })])
        case ("apis", 2):
            guard groups.contains(path[1]) else { return .text(404, "404 page not found\n") }
            var document = group(path[1])
            document["kind"] = "APIGroup"
            document["apiVersion"] = "v1"
            return reply(format, document)
        case ("api", 2): return reply(format, resources("", path[1]))
        case ("apis", 3): return reply(format, resources(path[1], path[2]))
        case ("openapi", 2) where path[1] == "v2": return openAPIV2(request)
        case ("openapi", _) where path[1] == "v3": return openAPIV3(request, Array(path.dropFirst(2)))
        default: return .text(404, "404 page not found\n")
        }
    }

    private func reply(_ format: OutputFormat, _ value: JSONValue) -> ServerResponse {
        ServerResponse(status: 200, contentType: format.contentType, parts: [format.encode(value)])
    }

    // MARK: Groups

    /// Every group except the core group, in the order of discovery.
    private var groups: [String] {
        var seen: [String] = []
        for kind in registry.all where !kind.group.isEmpty && !seen.contains(kind.group) { seen.append(kind.group) }
        return seen
    }

    private func versions(_ group: String) -> [String] {
        var seen: [String] = []
        for kind in registry.all where kind.group == group && !seen.contains(kind.version) { seen.append(kind.version) }
        return seen.sorted { VersionOrder.isPreferred($0, to: $1) }
    }

    private func group(_ name: String) -> JSONValue {
        let versions = versions(name).map { version -> JSONValue in
            ["groupVersion": .string("\(name)/\(version)"), "version": .string(version)]
        }
        return ["name": .string(name), "versions": .array(versions), "preferredVersion": versions.first ?? [:]]
    }

    private func resources(_ group: String, _ version: String) -> JSONValue {
        var list: [JSONValue] = []
        for kind in registry.all where kind.group == group && kind.version == version {
            var entry: JSONValue = [
                "name": .string(kind.plural), "singularName": .string(kind.singular), "namespaced": .bool(kind.isNamespaced),
                "kind": .string(kind.kind), "verbs": .array(kind.verbs.map { .string($0) }),
            ]
            if !kind.shortNames.isEmpty { entry["shortNames"] = .array(kind.shortNames.map { .string($0) }) }
            if !kind.categories.isEmpty { entry["categories"] = .array(kind.categories.map { .string($0) }) }
            if let custom = kind.custom { entry["storageVersionHash"] = .string(custom.storageVersionHash) }
            list.append(entry)
            for sub in kind.subresources {
                var entry: JSONValue = [
                    "name": .string("\(kind.plural)/\(sub.name)"), "singularName": "", "namespaced": .bool(kind.isNamespaced),
                    "kind": .string(sub.kind), "verbs": .array(sub.verbs.map { .string($0) }),
                ]
                if sub.group != kind.group {
                    entry["group"] = .string(sub.group)
                    entry["version"] = .string(sub.version)
                }
                list.append(entry)
            }
        }
        let groupVersion = group.isEmpty ? version : "\(group)/\(version)"
        return ["kind": "APIResourceList", "apiVersion": "v1", "groupVersion": .string(groupVersion), "resources": .array(list)]
    }

    private func aggregated(_ request: ServerRequest, isCore: Bool) -> ServerResponse {
        let items = (isCore ? [""] : groups).map { group -> JSONValue in
            let versions = versions(group).map { version -> JSONValue in
                let kinds = registry.all.filter { $0.group == group && $0.version == version }
                return ["version": .string(version), "freshness": "Current", "resources": .array(kinds.map(aggregatedResource))]
            }
            let metadata: JSONValue = group.isEmpty ? [:] : ["name": .string(group)]
            return ["metadata": metadata, "versions": .array(versions)]
        }
        let document: JSONValue = [
            "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": [:], "items": .array(items),
        ]
        let type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        let bytes = document.serialized()
        let tag = "\"\(SHA256.hex(of: bytes).uppercased())\""
        if request.header("if-none-match") == tag { return ServerResponse(status: 304, contentType: type, parts: []) }
        var response = ServerResponse(status: 200, contentType: type, parts: [bytes])
        response.headers.append(("ETag", tag))
        response.headers.append(("Vary", "Accept"))
        return response
    }

    private func aggregatedResource(_ kind: ServedKind) -> JSONValue {
        var entry: JSONValue = [
            "resource": .string(kind.plural), "singularResource": .string(kind.singular),
            "scope": kind.isNamespaced ? "Namespaced" : "Cluster",
            "responseKind": ["group": .string(kind.group), "version": .string(kind.version), "kind": .string(kind.kind)],
            "verbs": .array(kind.verbs.map { .string($0) }),
        ]
        if !kind.shortNames.isEmpty { entry["shortNames"] = .array(kind.shortNames.map { .string($0) }) }
        if !kind.categories.isEmpty { entry["categories"] = .array(kind.categories.map { .string($0) }) }
        if !kind.subresources.isEmpty {
            entry["subresources"] = .array(
                kind.subresources.map { sub in
                    [
                        "subresource": .string(sub.name),
                        "responseKind": [
                            "group": .string(sub.group), "version": .string(sub.version), "kind": .string(sub.kind),
                        ],
                        "verbs": .array(sub.verbs.map { .string($0) }),
                    ]
                })
        }
        return entry
    }

    // MARK: OpenAPI

    /// An empty document. kubectl asks for it to learn how to patch built-in kinds, but knows that without it.
    private func openAPIV2(_ request: ServerRequest) -> ServerResponse {
        let accept = request.header("accept") ?? ""
        if accept.contains("protobuf") {
            // openapi.v2.Document: swagger = 1, info = 2 {title = 1, version = 2}, paths = 8.
            let info: [UInt8] = [0x0A, 5] + Array("Assay".utf8) + [0x12, 5] + Array("v1.36".utf8)
            let document: [UInt8] = [0x0A, 3] + Array("2.0".utf8) + [0x12, UInt8(info.count)] + info + [0x42, 0]
            return ServerResponse(
                status: 200, contentType: "application/com.github.proto-openapi.spec.v2.v1.0+protobuf", parts: [document])
        }
        let document: JSONValue = [
            "swagger": "2.0", "info": ["title": "Assay", "version": "v1.36"], "paths": [:], "definitions": [:],
        ]
        return ServerResponse(status: 200, contentType: "application/json", parts: [document.serialized()])
    }

    private func openAPIV3(_ request: ServerRequest, _ path: [String]) -> ServerResponse {
        let documents = openAPIDocuments()
        if path.isEmpty {
            var paths: [String: JSONValue] = [:]
            for (name, document) in documents {
                paths[name] = ["serverRelativeURL": .string("/openapi/v3/\(name)?hash=\(document.hash)")]
            }
            return ServerResponse(
                status: 200, contentType: "application/json", parts: [JSONValue.object(["paths": .object(paths)]).serialized()])
        }
        guard let document = documents[path.joined(separator: "/")] else { return .text(404, "404 page not found\n") }
        var response = ServerResponse(status: 200, contentType: "application/json", parts: [document.bytes])
        response.headers.append(("ETag", "\"\(document.hash)\""))
        return response
    }

    private func openAPIDocuments() -> [String: (hash: String, bytes: [UInt8])] {
        let generation = registry.generation
        if let documents = cache.withLock({ $0.generation == generation ? $0.openAPI : nil }) { return documents }
        var documents: [String: (hash: String, bytes: [UInt8])] = [:]
        for kind in registry.all {
            let name = kind.group.isEmpty ? "api/\(kind.version)" : "apis/\(kind.group)/\(kind.version)"
            guard documents[name] == nil else { continue }
            let kinds = registry.all.filter { $0.group == kind.group && $0.version == kind.version }
            let bytes = OpenAPIDocument.of(kinds).serialized()
            documents[name] = (SHA256.hex(of: bytes).uppercased(), bytes)
        }
        cache.withLock { $0 = Cached(generation: generation, openAPI: documents) }
        return documents
    }
}

/// `v2` before `v1`, releases before betas before alphas (apimachinery `version.CompareKubeAwareVersionStrings`).
enum VersionOrder {
    static func isPreferred(_ a: String, to b: String) -> Bool {
        switch (parse(a), parse(b)) {
        case (let x?, let y?): return x == y ? a < b : x.lexicographicallyPrecedes(y, by: >)
        case (_?, nil): return true
        case (nil, _?): return false
        case (nil, nil): return a < b
        }
    }

    /// Stability, major, minor: greater is preferred.
    private static func parse(_ text: String) -> [Int]? {
        guard text.hasPrefix("v") else { return nil }
        let rest = text.dropFirst()
        let major = rest.prefix { $0.isNumber }
        guard let number = Int(major) else { return nil }
        let suffix = rest.dropFirst(major.count)
        if suffix.isEmpty { return [2, number, 0] }
        for (word, stability) in [("beta", 1), ("alpha", 0)] where suffix.hasPrefix(word) {
            return Int(suffix.dropFirst(word.count)).map { [stability, number, $0] }
        }
        return nil
    }
}
