import Base
import CEL

/// Checks that a schema is "structural" (`apiserver/schema/validation.go`), when a definition is created.
enum StructuralCheck {
    private enum Level { case root, item, field }

    static func faults(in root: SchemaNode, path: String) -> [FieldError] {
        var faults: [FieldError] = []
        check(root, path, .root, &faults)
        return faults
    }

    private static func check(_ node: SchemaNode, _ path: String, _ level: Level, _ faults: inout [FieldError]) {
        for keyword in node.forbiddenKeywords { faults.append(.forbidden(path + "." + keyword, "\(keyword) is not supported")) }
        if node.uniqueItems {
            faults.append(
                .forbidden(path + ".uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"))
        }
        if node.type == "array", node.items == nil { faults.append(.required(path + ".items", "must be specified")) }
        if let items = node.items { check(items, path + ".items", .item, &faults) }
        for (name, property) in node.properties.sorted(by: { $0.key < $1.key }) {
            check(property, path + ".properties[\(name)]", .field, &faults)
        }
        if let additional = node.additional {
            if level == .root { faults.append(.forbidden(path + ".additionalProperties", "must not be used at the root")) }
            if !node.properties.isEmpty {
                faults.append(.forbidden(path + ".additionalProperties", "additionalProperties and properties are mutual exclusive"))
            }
            if let schema = additional.schema { check(schema, path + ".additionalProperties", .field, &faults) }
        }
        type(of: node, path, level, &faults)
        extensions(of: node, path, &faults)
        pattern(of: node, path, &faults)
        if let value = node.defaultValue { defaultValue(value, node, path, &faults) }
        nested(in: node, path, node, &faults)
    }

    private static func type(of node: SchemaNode, _ path: String, _ level: Level, _ faults: inout [FieldError]) {
        let known: Set<String> = ["", "string", "integer", "number", "boolean", "array", "object"]
        if !known.contains(node.type) {
            faults.append(
                .notSupported(
                    path + ".type", .string(node.type), supported: ["array", "boolean", "integer", "number", "object", "string"]))
        }
        if node.type.isEmpty, !node.intOrString, !node.preservesUnknown {
            let detail =
                switch level {
                case .root: "must not be empty at the root"
                case .item: "must not be empty for specified array items"
                case .field: "must not be empty for specified object fields"
                }
            faults.append(.required(path + ".type", detail))
        }
        if level == .root, !node.type.isEmpty, node.type != "object" {
            faults.append(.invalid(path + ".type", .string(node.type), "must be object at the root"))
        }
        if node.embedded, node.type != "object" {
            faults.append(.invalid(path + ".type", .string(node.type), "must be object if x-kubernetes-embedded-resource is true"))
        }
    }

    private static func extensions(of node: SchemaNode, _ path: String, _ faults: inout [FieldError]) {
        if node.intOrString, node.preservesUnknown {
            faults.append(
                .invalid(path + ".x-kubernetes-preserve-unknown-fields", .bool(true), "must be false if x-kubernetes-int-or-string is true"))
        }
        if node.embedded, !node.preservesUnknown, node.properties.isEmpty {
            faults.append(
                .required(
                    path + ".properties",
                    "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"))
        }
        switch node.listType {
        case nil, "atomic", "set": break
        case "map":
            if node.listMapKeys.isEmpty {
                faults.append(.required(path + ".x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map"))
            }
            for key in node.listMapKeys where node.items?.properties[key] == nil {
                faults.append(
                    .invalid(path + ".x-kubernetes-list-map-keys", .string(key), "entries must all be names of item properties"))
            }
            for key in node.listMapKeys where !(node.items?.required.contains(key) ?? false) {
                guard let property = node.items?.properties[key], property.defaultValue == nil else { continue }
                faults.append(
                    .required(
                        path + ".items.properties[\(key)].default",
                        "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"))
            }
        case .some(let other):
            faults.append(.notSupported(path + ".x-kubernetes-list-type", .string(other), supported: ["atomic", "map", "set"]))
        }
        if node.listType != nil, node.type != "array" {
            faults.append(.invalid(path + ".type", .string(node.type), "must be array if x-kubernetes-list-type is specified"))
        }
    }

    private static func pattern(of node: SchemaNode, _ path: String, _ faults: inout [FieldError]) {
        guard !node.pattern.isEmpty else { return }
        do {
            _ = try Pattern(node.pattern)
        } catch {
            faults.append(
                .invalid(path + ".pattern", .string(node.pattern), "must be a valid regular expression, but isn't: \(error.description)"))
        }
    }

    /// A default must be valid for its own schema and rules, before nested defaults are applied, and must not contain unknown
    /// fields.
    private static func defaultValue(_ value: JSONValue, _ node: SchemaNode, _ path: String, _ faults: inout [FieldError]) {
        var pruned = value
        for unknown in Pruning.prune(&pruned, by: node) {
            faults.append(.invalid(path + ".default", value, "must not have unknown fields: \(unknown)"))
        }
        let broken = SchemaValidation.validate(value, node, "", nil).faults
        let rules = broken.isEmpty ? RuleSet(node, isResourceRoot: false)?.faults(of: value, old: nil) ?? [] : []
        for fault in broken + rules {
            let place = fault.field == "<nil>" ? "" : "." + fault.field
            faults.append(FieldError(fault.kind, path + ".default" + place, message: fault.message))
        }
    }

    /// Inside `allOf`, `anyOf`, `oneOf` and `not` only value rules are allowed, and only for fields that the schema itself names.
    private static func nested(in node: SchemaNode, _ path: String, _ structure: SchemaNode, _ faults: inout [FieldError]) {
        let intOrString = { (branches: [SchemaNode]) in
            node.intOrString && branches.count == 2 && branches.map(\.type) == ["integer", "string"]
        }
        for (name, branches) in [("allOf", node.allOf), ("anyOf", node.anyOf), ("oneOf", node.oneOf), ("not", node.not.map { [$0] } ?? [])] {
            if name == "anyOf", intOrString(branches) { continue }
            for (index, branch) in branches.enumerated() {
                let place = name == "not" ? path + ".not" : path + ".\(name)[\(index)]"
                if name == "allOf", index == 0, node.intOrString, branch.anyOf.map(\.type) == ["integer", "string"] { continue }
                checkBranch(branch, place, structure, &faults)
            }
        }
    }

    private static func checkBranch(_ node: SchemaNode, _ path: String, _ structure: SchemaNode?, _ faults: inout [FieldError]) {
        func forbid(_ keyword: String, _ detail: String) { faults.append(.forbidden(path + "." + keyword, detail)) }
        if !node.type.isEmpty { forbid("type", "must be empty to be structural") }
        if node.additional != nil { forbid("additionalProperties", "must be undefined to be structural") }
        if node.defaultValue != nil { forbid("default", "must be undefined to be structural") }
        if node.described { forbid("description", "must be empty to be structural") }
        if node.nullable { forbid("nullable", "must be false to be structural") }
        if node.preservesUnknown { forbid("x-kubernetes-preserve-unknown-fields", "must be false to be structural") }
        if node.embedded { forbid("x-kubernetes-embedded-resource", "must be false to be structural") }
        if node.intOrString { forbid("x-kubernetes-int-or-string", "must be false to be structural") }
        if node.listType != nil { forbid("x-kubernetes-list-type", "must be undefined to be structural") }
        if !node.rules.isEmpty { forbid("x-kubernetes-validations", "must be empty to be structural") }
        pattern(of: node, path, &faults)
        for (name, property) in node.properties.sorted(by: { $0.key < $1.key }) {
            let place = path + ".properties[\(name)]"
            if name == "metadata" { faults.append(.forbidden(place, "must not be specified in a nested context")) }
            let partner = structure?.properties[name]
            if partner == nil {
                faults.append(.required(place, "because it is defined in \(place)"))
            }
            checkBranch(property, place, partner, &faults)
        }
        if let items = node.items { checkBranch(items, path + ".items", structure?.items, &faults) }
        if let structure { nested(in: node, path, structure, &faults) }
    }
}
