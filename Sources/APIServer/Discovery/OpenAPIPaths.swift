import Base

/// The paths of a kind in its OpenAPI document. From the parameters of PATCH kubectl learns whether dry runs and field validation work.
enum OpenAPIPaths {
    static func of(_ kind: ServedKind) -> [String: JSONValue] {
        let base = kind.group.isEmpty ? "/api/\(kind.version)" : "/apis/\(kind.group)/\(kind.version)"
        let collection = kind.isNamespaced ? "\(base)/namespaces/{namespace}/\(kind.plural)" : "\(base)/\(kind.plural)"
        let scope = kind.isNamespaced ? "Namespaced" : ""
        var paths: [String: JSONValue] = [:]
        var many: JSONValue = [:]
        var one: JSONValue = [:]
        let verbs = Set(kind.verbs)
        if verbs.contains("list") {
            many["get"] = operation(kind, "list", scope, action: "list", queries: listQueries, isList: true)
        }
        if verbs.contains("create") {
            many["post"] = operation(kind, "create", scope, action: "post", queries: writeQueries, hasBody: true)
        }
        if verbs.contains("deletecollection") {
            many["delete"] = operation(kind, "delete", "Collection\(scope)", action: "deletecollection", queries: listQueries)
        }
        if verbs.contains("get") { one["get"] = operation(kind, "read", scope, action: "get", queries: ["resourceVersion"]) }
        if verbs.contains("update") {
            one["put"] = operation(kind, "replace", scope, action: "put", queries: writeQueries, hasBody: true)
        }
        if verbs.contains("patch") {
            one["patch"] = operation(kind, "patch", scope, action: "patch", queries: writeQueries + ["force"], isPatch: true)
        }
        if verbs.contains("delete") {
            one["delete"] = operation(
                kind, "delete", scope, action: "delete",
                queries: ["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"])
        }
        let placed =
            kind.isNamespaced ? [pathParameter("namespace", "object name and auth scope, such as for teams and projects")] : []
        let named = [pathParameter("name", "name of the \(kind.kind)")] + placed
        many["parameters"] = .array(placed + [query("pretty")])
        one["parameters"] = .array(named + [query("pretty")])
        paths[collection] = many
        if !verbs.contains("get") { return paths }
        paths["\(collection)/{name}"] = one
        if kind.hasStatus {
            paths["\(collection)/{name}/status"] = [
                "get": operation(kind, "read", scope, action: "get", queries: ["resourceVersion"], suffix: "Status"),
                "put": operation(kind, "replace", scope, action: "put", queries: writeQueries, hasBody: true, suffix: "Status"),
                "patch": operation(
                    kind, "patch", scope, action: "patch", queries: writeQueries + ["force"], isPatch: true, suffix: "Status"),
                "parameters": .array(named + [query("pretty")]),
            ]
        }
        if kind.isNamespaced {
            paths["\(base)/\(kind.plural)"] = [
                "get": operation(kind, "list", "", action: "list", queries: listQueries, isList: true, suffix: "ForAllNamespaces")
            ]
        }
        return paths
    }

    private static let listQueries = [
        "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "resourceVersionMatch",
        "sendInitialEvents", "timeoutSeconds", "watch",
    ]
    private static let writeQueries = ["dryRun", "fieldManager", "fieldValidation"]
    private static let types = [
        "allowWatchBookmarks": "boolean", "sendInitialEvents": "boolean", "watch": "boolean", "force": "boolean",
        "orphanDependents": "boolean", "limit": "integer", "timeoutSeconds": "integer", "gracePeriodSeconds": "integer",
    ]

    private static func query(_ name: String) -> JSONValue {
        ["name": .string(name), "in": "query", "schema": ["type": .string(types[name] ?? "string"), "uniqueItems": true]]
    }

    private static func pathParameter(_ name: String, _ description: String) -> JSONValue {
        [
            "name": .string(name), "in": "path", "description": .string(description), "required": true,
            "schema": ["type": "string", "uniqueItems": true],
        ]
    }

    private static func operation(
        _ kind: ServedKind, _ verb: String, _ scope: String, action: String, queries: [String], isList: Bool = false,
        hasBody: Bool = false,
        isPatch: Bool = false, suffix: String = ""
    ) -> JSONValue {
        let words = kind.group.isEmpty ? ["core"] : kind.group.split { $0 == "." || $0 == "-" }.map(String.init)
        let capital = { (text: String) in text.prefix(1).uppercased() + text.dropFirst() }
        let group = words.map(capital).joined()
        let tag = group.prefix(1).lowercased() + group.dropFirst()
        let target = OpenAPISchemas.reference(OpenAPISchemas.name(kind) + (isList ? "List" : ""))
        let content: JSONValue = ["application/json": ["schema": target], "application/yaml": ["schema": target]]
        var result: JSONValue = [
            "tags": [.string("\(tag)_\(kind.version)")],
            "operationId": .string("\(verb)\(group)\(capital(kind.version))\(scope)\(kind.kind)\(suffix)"),
            "parameters": .array(queries.map(query)),
            "responses": ["200": ["description": "OK", "content": content], "401": ["description": "Unauthorized"]],
            "x-kubernetes-action": .string(action),
            "x-kubernetes-group-version-kind": [
                "group": .string(kind.group), "version": .string(kind.version), "kind": .string(kind.kind),
            ],
        ]
        if hasBody { result["requestBody"] = ["content": content, "required": true] }
        if isPatch {
            let patch: JSONValue = ["schema": OpenAPISchemas.reference(OpenAPISchemas.meta + "Patch")]
            var types = ["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"]
            if !kind.isCustom { types.append("application/strategic-merge-patch+json") }
            result["requestBody"] = [
                "content": .object(Dictionary(uniqueKeysWithValues: types.map { ($0, patch) })), "required": true,
            ]
        }
        return result
    }
}
