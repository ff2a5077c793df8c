import Base

/// `x-kubernetes-list-type`: a set contains no value twice, a map no key twice (`apiserver/schema/listtype`).
enum ListTypes {
    static func faults(in value: JSONValue, _ root: SchemaNode) -> [FieldError] {
        var faults: [FieldError] = []
        visit(value, root, "", &faults)
        return faults
    }

    private static func visit(_ value: JSONValue, _ node: SchemaNode, _ path: String, _ faults: inout [FieldError]) {
        switch value {
        case .object(let members):
            for (key, member) in members {
                if let property = node.properties[key] {
                    visit(member, property, path.isEmpty ? key : path + "." + key, &faults)
                }
                if let schema = node.additional?.schema { visit(member, schema, path + "[\(key)]", &faults) }
            }
        case .array(let elements):
            switch node.listType {
            case "set":
                for index in repeated(elements) { faults.append(.duplicate("\(path)[\(index)]", elements[index])) }
            case "map":
                keyFaults(elements, node.listMapKeys, path, &faults)
            default: break
            }
            if let items = node.items {
                for (index, element) in elements.enumerated() { visit(element, items, "\(path)[\(index)]", &faults) }
            }
        default: break
        }
    }

    private static func keyFaults(_ elements: [JSONValue], _ keys: [String], _ path: String, _ faults: inout [FieldError]) {
        for (index, element) in elements.enumerated() where element.object == nil && !element.isNull {
            faults.append(.invalid("\(path)[\(index)]", element, "must be an object for an array of list-type map"))
            return
        }
        let identities = elements.map { element -> JSONValue in
            var identity: [String: JSONValue] = [:]
            for key in keys { identity[key] = element[key] }
            return .object(identity)
        }
        for index in repeated(identities) { faults.append(.duplicate("\(path)[\(index)]", identities[index])) }
    }

    /// The index of each value's second occurrence; later occurrences are not reported.
    private static func repeated(_ values: [JSONValue]) -> [Int] {
        guard values.count > 1 else { return [] }
        var seen: [JSONValue: Int] = [:]
        return values.indices.filter { index in
            seen[values[index], default: 0] += 1
            return seen[values[index]] == 2
        }
    }

    /// Finds the old element of a list of type map that has the keys of a new one.
    struct Lookup {
        private let keys: [String]
        private var byIdentity: [[JSONValue]: JSONValue] = [:]

        /// Nil for a list whose elements have no keys.
        init?(_ node: SchemaNode, _ elements: [JSONValue]?) {
            guard node.type == "array", node.listType == "map", !node.listMapKeys.isEmpty, let elements else { return nil }
            keys = node.listMapKeys
            for element in elements {
                guard let identity = identity(of: element), byIdentity[identity] == nil else { continue }
                byIdentity[identity] = element
            }
        }

        func match(_ element: JSONValue) -> JSONValue? {
            identity(of: element).flatMap { byIdentity[$0] }
        }

        private func identity(of element: JSONValue) -> [JSONValue]? {
            var identity: [JSONValue] = []
            for key in keys {
                switch element[key] {
                case .bool, .int, .double, .string: identity.append(element[key] ?? .null)
                default: return nil
                }
            }
            return identity
        }
    }
}
