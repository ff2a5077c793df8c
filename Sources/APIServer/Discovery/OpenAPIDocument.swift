import Base

/// The OpenAPI v3 document of one group and version. It holds the parts that kubectl reads: the schemas, and the parameters of paths.
enum OpenAPIDocument {
    static func of(_ kinds: [ServedKind]) -> JSONValue {
        var schemas: [String: JSONValue] = [:]
        var paths: [String: JSONValue] = [:]
        for kind in kinds {
            for (path, item) in OpenAPIPaths.of(kind) { paths[path] = item }
            let name = OpenAPISchemas.name(kind)
            schemas[name] = OpenAPISchemas.schema(kind)
            schemas[name + "List"] = OpenAPISchemas.list(kind)
        }
        OpenAPISchemas.addReferenced(&schemas)
        return [
            "openapi": "3.0.0", "info": ["title": "Kubernetes CRD Swagger", "version": "v0.1.0"], "paths": .object(paths),
            "components": ["schemas": .object(schemas)],
        ]
    }
}

/// The schemas of kinds and of the types that they refer to.
enum OpenAPISchemas {
    private static let prefix = "#/components/schemas/"
    static let meta = "io.k8s.apimachinery.pkg.apis.meta.v1."

    static let apiVersionText =
        "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the "
        + "latest internal value, and may reject unrecognized values. More info: "
        + "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources"
    static let kindText =
        "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the "
        + "client submits requests to. Cannot be updated. In CamelCase. More info: "
        + "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds"
    private static let metadataText =
        "Standard object's metadata. More info: "
        + "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"

    /// The name of a kind's schema: `dev.assay.contract.v1alpha1.Widget`; the name of a built-in type begins with its package.
    static func name(_ kind: ServedKind) -> String {
        if case .named(let type) = kind.shape, let known = BuiltinTypes.shared.type(type) { return "\(known.package).\(type)" }
        return (kind.group.split(separator: ".").reversed().map(String.init) + [kind.version, kind.kind]).joined(separator: ".")
    }

    static func reference(_ name: String) -> JSONValue { ["$ref": .string(prefix + name)] }

    private static func groupVersionKind(_ kind: ServedKind, _ name: String) -> JSONValue {
        [["group": .string(kind.group), "kind": .string(name), "version": .string(kind.version)]]
    }

    static func schema(_ kind: ServedKind) -> JSONValue {
        var schema: JSONValue
        if let custom = kind.custom {
            schema = published(custom.rawSchema)
            if schema["type"] == nil { schema["type"] = "object" }
            schema.set(["properties", "apiVersion"], to: ["description": .string(apiVersionText), "type": "string"])
            schema.set(["properties", "kind"], to: ["description": .string(kindText), "type": "string"])
            schema.set(
                ["properties", "metadata"],
                to: [
                    "description": .string(metadataText), "allOf": [reference(meta + "ObjectMeta")],
                ])
        } else if let object = kind.shape.object {
            schema = type(object)
        } else {
            schema = ["type": "object"]
        }
        schema["x-kubernetes-group-version-kind"] = groupVersionKind(kind, kind.kind)
        return schema
    }

    static func list(_ kind: ServedKind) -> JSONValue {
        [
            "description": .string("\(kind.listKind) is a list of \(kind.kind)"), "type": "object", "required": ["items"],
            "properties": [
                "apiVersion": ["description": .string(apiVersionText), "type": "string"],
                "kind": ["description": .string(kindText), "type": "string"],
                "items": [
                    "description": .string(
                        "List of \(kind.plural). More info: "
                            + "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"),
                    "type": "array", "items": reference(name(kind)),
                ],
                "metadata": [
                    "description": .string(
                        "Standard list metadata. More info: "
                            + "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds"),
                    "allOf": [reference(meta + "ListMeta")],
                ],
            ],
            "x-kubernetes-group-version-kind": groupVersionKind(kind, kind.listKind),
        ]
    }

    /// The schema of a definition in its published form, where an int-or-string field lists its two types.
    private static func published(_ schema: JSONValue) -> JSONValue {
        guard var members = schema.object else { return schema }
        for key in ["properties", "definitions"] {
            if let parts = members[key]?.object { members[key] = .object(parts.mapValues(published)) }
        }
        for key in ["items", "additionalProperties", "not"] { if let part = members[key] { members[key] = published(part) } }
        if members["x-kubernetes-int-or-string"]?.bool == true, members["anyOf"] == nil {
            members["anyOf"] = [["type": "integer"], ["type": "string"]]
        }
        return .object(members)
    }

    // MARK: Built-in types

    /// Adds every type that is referred to, directly or through another type.
    static func addReferenced(_ schemas: inout [String: JSONValue]) {
        var wanted = ["Status", "DeleteOptions", "Patch"].map { meta + $0 } + schemas.values.flatMap(references)
        while let name = wanted.popLast() {
            guard schemas[name] == nil, let last = name.split(separator: ".").last else { continue }
            let schema = BuiltinTypes.shared.type(String(last)).map(type) ?? ["type": "object"]
            schemas[name] = schema
            wanted += references(schema)
        }
    }

    private static func references(_ value: JSONValue) -> [String] {
        switch value {
        case .object(let members):
            if let target = members["$ref"]?.string, target.hasPrefix(prefix) { return [String(target.dropFirst(prefix.count))] }
            return members.values.flatMap(references)
        case .array(let items): return items.flatMap(references)
        default: return []
        }
    }

    private static func type(_ object: ObjectShape) -> JSONValue {
        var properties: [String: JSONValue] = [:]
        for (name, field) in object.fields { properties[name] = property(field.shape) }
        if properties["apiVersion"] != nil, object.fields["metadata"] != nil {
            properties["apiVersion"] = ["description": .string(apiVersionText), "type": "string"]
            properties["kind"] = ["description": .string(kindText), "type": "string"]
        }
        var schema: JSONValue = ["type": "object", "properties": .object(properties)]
        let required = object.fields.filter { $0.value.isRequired }.keys.sorted()
        if !required.isEmpty { schema["required"] = .array(required.map { .string($0) }) }
        if object.isAtomic { schema["x-kubernetes-map-type"] = "atomic" }
        return schema
    }

    private static func property(_ shape: Shape) -> JSONValue {
        switch shape {
        case .any: return ["x-kubernetes-preserve-unknown-fields": true]
        case .string, .scalar, .quantity: return ["type": "string"]
        case .bool: return ["type": "boolean"]
        case .int32: return ["type": "integer", "format": "int32"]
        case .int64: return ["type": "integer", "format": "int64"]
        case .number: return ["type": "number", "format": "double"]
        case .intOrString: return ["anyOf": [["type": "integer"], ["type": "string"]], "format": "int-or-string"]
        case .bytes: return ["type": "string", "format": "byte"]
        case .time, .microTime: return ["type": "string", "format": "date-time"]
        case .map(let value): return ["type": "object", "additionalProperties": property(value)]
        case .list(let list): return self.list(list)
        case .object(let object): return type(object)
        case .named(let name):
            guard let known = BuiltinTypes.shared.type(name) else { return ["type": "object"] }
            return ["allOf": [reference("\(known.package).\(name)")]]
        }
    }

    private static func list(_ list: ListShape) -> JSONValue {
        var schema: JSONValue = ["type": "array", "items": property(list.element)]
        switch list.kind {
        case .atomic: schema["x-kubernetes-list-type"] = "atomic"
        case .set: schema["x-kubernetes-list-type"] = "set"
        case .map(let keys):
            schema["x-kubernetes-list-type"] = "map"
            schema["x-kubernetes-list-map-keys"] = .array(keys.map { .string($0) })
        }
        if let key = list.mergeKey {
            schema["x-kubernetes-patch-strategy"] = "merge"
            if !key.isEmpty { schema["x-kubernetes-patch-merge-key"] = .string(key) }
        }
        return schema
    }
}
