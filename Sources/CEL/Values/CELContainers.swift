import Base

/// A list: computed, or part of an object whose elements are converted only when they are read.
package struct CELList: Sendable {
    private enum Storage: Sendable {
        case values([CELValue])
        case data([JSONValue], items: any CELSchema)
    }

    /// How elements are identified when lists are compared or added.
    enum Identity: Sendable {
        case position
        case value
        case keys([String])
    }

    private let storage: Storage
    let identity: Identity

    init(_ values: [CELValue], identity: Identity = .position) {
        storage = .values(values)
        self.identity = identity
    }

    init(_ elements: [JSONValue], items: any CELSchema, identity: Identity) {
        storage = .data(elements, items: items)
        self.identity = identity
    }

    var count: Int {
        switch storage {
        case .values(let values): values.count
        case .data(let elements, _): elements.count
        }
    }

    /// The element at a position that exists.
    func element(_ index: Int) throws(CELError) -> CELValue {
        switch storage {
        case .values(let values): values[index]
        case .data(let elements, let items): try CELData.value(of: elements[index], items)
        }
    }

    func elements() throws(CELError) -> [CELValue] {
        var found: [CELValue] = []
        found.reserveCapacity(count)
        for index in 0..<count { found.append(try element(index)) }
        return found
    }

    func contains(_ value: CELValue) throws(CELError) -> Bool {
        for index in 0..<count where try CELValue.equal(try element(index), value) { return true }
        return false
    }

    func isEqual(to other: CELList) throws(CELError) -> Bool {
        guard count == other.count else { return false }
        switch identity {
        case .position:
            for index in 0..<count where try !CELValue.equal(try element(index), try other.element(index)) { return false }
            return true
        case .value:
            for index in 0..<count where try !other.contains(try element(index)) { return false }
            return true
        case .keys(let keys):
            let others = try other.elements()
            for index in 0..<count {
                let mine = try element(index)
                guard let partner = try others.firstPartner(of: mine, keys), try CELValue.equal(mine, partner) else { return false }
            }
            return true
        }
    }

    /// `+`: a set adds missing elements, a list of type map replaces elements with the same keys, other lists append.
    func adding(_ other: CELList) throws(CELError) -> CELList {
        var result = try elements()
        for added in try other.elements() {
            switch identity {
            case .position: result.append(added)
            case .value: if try !CELList(result).contains(added) { result.append(added) }
            case .keys(let keys):
                var replaced = false
                for index in result.indices where try CELList.sameKeys(result[index], added, keys) {
                    result[index] = added
                    replaced = true
                    break
                }
                if !replaced { result.append(added) }
            }
        }
        return CELList(result, identity: identity)
    }

    fileprivate static func sameKeys(_ first: CELValue, _ second: CELValue, _ keys: [String]) throws(CELError) -> Bool {
        guard case .map(let a) = first, case .map(let b) = second else { return false }
        for key in keys {
            let mine = try a.find(.string(key))
            let other = try b.find(.string(key))
            switch (mine, other) {
            case (nil, nil): continue
            case (let mine?, let other?): if try !CELValue.equal(mine, other) { return false }
            default: return false
            }
        }
        return true
    }
}

extension Array where Element == CELValue {
    fileprivate func firstPartner(of value: CELValue, _ keys: [String]) throws(CELError) -> CELValue? {
        for candidate in self where try CELList.sameKeys(candidate, value, keys) { return candidate }
        return nil
    }
}

/// A map: computed, or an object whose members are converted only when they are read.
package struct CELMap: Sendable {
    private enum Storage: Sendable {
        case values([CELKey: CELValue])
        case data([String: JSONValue], any CELSchema)
    }

    private let storage: Storage
    /// True for a resource and an embedded resource: it has the fields of every resource, even when its schema does not name
    /// them.
    private let isResource: Bool

    init(_ values: [CELKey: CELValue]) {
        storage = .values(values)
        isResource = false
    }

    init(_ members: [String: JSONValue], _ node: any CELSchema, isResource: Bool = false) {
        storage = .data(members, node)
        self.isResource = isResource
    }

    /// Whether this is an object with named fields instead of a map.
    var isObject: Bool {
        if case .data(_, let node) = storage { node.valueSchema == nil } else { false }
    }

    var count: Int {
        switch storage {
        case .values(let values): values.count
        case .data(let members, _): members.count
        }
    }

    /// The value of a key, nil when there is none. Null fields of an object count as absent.
    func find(_ key: CELValue) throws(CELError) -> CELValue? {
        switch storage {
        case .values(let values): return CELKey(key).flatMap { values[$0] }
        case .data(let members, let node):
            guard case .string(let name) = key else { throw .noOverload }
            if let values = node.valueSchema {
                guard let member = members[name] else { return nil }
                return try CELData.value(of: member, values)
            }
            guard let field = CELIdentifier.unescape(name), let member = members[field], !member.isNull,
                let schema = node.fieldSchema(field, ofResource: isResource)
            else { return nil }
            return try CELData.value(of: member, schema)
        }
    }

    /// The keys, in a fixed order.
    func keys() -> [CELValue] {
        switch storage {
        case .values(let values): values.keys.map(\.value).sorted { ((try? CELValue.order($0, $1)) ?? nil) == -1 }
        case .data(let members, let node):
            members.keys.sorted().map { .string(node.valueSchema == nil ? CELIdentifier.escape($0) : $0) }
        }
    }

    func isEqual(to other: CELMap) throws(CELError) -> Bool {
        let mine = keys()
        guard mine.count == other.keys().count else { return false }
        for key in mine {
            let first = try find(key)
            let second = try other.find(key)
            switch (first, second) {
            case (nil, nil): continue
            case (let first?, let second?): if try !CELValue.equal(first, second) { return false }
            default: return false
            }
        }
        return true
    }
}
