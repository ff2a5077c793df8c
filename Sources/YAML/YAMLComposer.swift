import Base

/// Builds values from events: nesting, anchors, merges and keys. `YAMLScalar` resolves scalars.
struct YAMLComposer {
    /// A value with the cost of an alias to it.
    private struct Node {
        var value: JSONValue
        /// Nodes, plus one for every 32 bytes of text.
        var cost: Int
        /// Levels of collections, 0 for a scalar.
        var depth: Int
    }

    private enum Anchor {
        /// The node is still being read: an alias to it would make it contain itself.
        case open
        case complete(Node)
    }

    private let events: YAMLEvents
    /// Scalars without a tag stay the text that is written; only null is resolved.
    private let keepsText: Bool
    private var anchors: [String: Anchor] = [:]
    private var aliasCost = 0

    init(events: YAMLEvents, keepsText: Bool = false) {
        self.events = events
        self.keepsText = keepsText
    }

    mutating func documents() throws(YAMLError) -> [JSONValue] {
        var documents: [JSONValue] = []
        while true {
            switch try events.next().content {
            case .streamEnd: return documents
            case .documentStart:
                anchors = [:]
                aliasCost = 0
                documents.append(try node(events.next(), depth: 0).value)
            default: continue
            }
        }
    }

    private mutating func node(_ event: YAMLEvent, depth: Int) throws(YAMLError) -> Node {
        switch event.content {
        case .scalar(let text, let tag, let isPlain, let anchor):
            let isText = keepsText && tag == nil && YAMLScalar.kind(of: text) != .null
            let value = isText ? .string(text) : try YAMLScalar.resolve(text, tag: tag, isPlain: isPlain, at: event.mark)
            return record(Node(value: value, cost: 1 + text.utf8.count / 32, depth: 0), as: anchor)
        case .alias(let name):
            return try alias(name, at: event.mark, depth: depth)
        case .sequenceStart(let tag, let anchor):
            try check(tag, is: "seq", at: event.mark)
            if let anchor { anchors[anchor] = .open }
            return record(try sequence(at: event.mark, depth: depth + 1), as: anchor)
        case .mappingStart(let tag, let anchor):
            try check(tag, is: "map", at: event.mark)
            if let anchor { anchors[anchor] = .open }
            return record(try mapping(at: event.mark, depth: depth + 1), as: anchor)
        case .streamEnd, .documentStart, .documentEnd, .sequenceEnd, .mappingEnd:
            throw event.mark.error("a value is missing")
        }
    }

    private mutating func record(_ node: Node, as anchor: String?) -> Node {
        if let anchor { anchors[anchor] = .complete(node) }
        return node
    }

    private func check(_ tag: String?, is kind: String, at mark: YAMLMark) throws(YAMLError) {
        guard let tag, tag != "!", tag != YAMLScalar.tagPrefix + kind else { return }
        throw mark.error("tag \(tag) is not supported")
    }

    private mutating func alias(_ name: String, at mark: YAMLMark, depth: Int) throws(YAMLError) -> Node {
        switch anchors[name] {
        case nil:
            throw mark.error("there is no anchor &\(name) before the alias *\(name)")
        case .open:
            throw mark.error("the alias *\(name) is inside the node it refers to")
        case .complete(let node):
            // Values share storage in memory, but writing them out expands every copy ("billion laughs" attack).
            aliasCost += node.cost
            guard aliasCost <= YAML.maximumAliasCost else {
                throw mark.error("the aliases expand to more than is allowed")
            }
            try checkDepth(depth + node.depth, at: mark)
            return node
        }
    }

    private func checkDepth(_ depth: Int, at mark: YAMLMark) throws(YAMLError) {
        guard depth <= YAML.maximumDepth else {
            throw mark.error("nested more than \(YAML.maximumDepth) levels deep")
        }
    }

    private mutating func sequence(at mark: YAMLMark, depth: Int) throws(YAMLError) -> Node {
        try checkDepth(depth, at: mark)
        var elements: [JSONValue] = []
        var result = Node(value: .null, cost: 1, depth: 1)
        while true {
            let event = try events.next()
            if case .sequenceEnd = event.content { break }
            let element = try node(event, depth: depth)
            elements.append(element.value)
            result.cost += element.cost
            result.depth = max(result.depth, element.depth + 1)
        }
        result.value = .array(elements)
        return result
    }

    private mutating func mapping(at mark: YAMLMark, depth: Int) throws(YAMLError) -> Node {
        try checkDepth(depth, at: mark)
        var members: [String: JSONValue] = [:]
        var lines: [String: Int] = [:]
        var merged: [JSONValue]?
        var result = Node(value: .null, cost: 1, depth: 1)
        while true {
            let event = try events.next()
            if case .mappingEnd = event.content { break }
            if isMerge(event) {
                if merged != nil { throw event.mark.error("the key << is given twice") }
                let source = try events.next()
                let value = try node(source, depth: depth)
                merged = try mergeSources(value.value, at: source.mark)
                result.cost += value.cost
                result.depth = max(result.depth, value.depth)
                continue
            }
            let key = try key(event)
            if let line = lines.updateValue(event.mark.line, forKey: key) {
                throw event.mark.error("the key \"\(key)\" is given twice (first on line \(line))")
            }
            let value = try node(events.next(), depth: depth)
            members[key] = value.value
            result.cost += 1 + key.utf8.count / 32 + value.cost
            result.depth = max(result.depth, value.depth + 1)
        }
        for case .object(let source) in merged ?? [] {
            // Explicit keys of the mapping win, then earlier merge sources.
            members.merge(source) { present, _ in present }
        }
        result.value = .object(members)
        return result
    }

    private func isMerge(_ event: YAMLEvent) -> Bool {
        guard case .scalar(let text, let tag, let isPlain, _) = event.content, text == "<<" else { return false }
        return tag == nil ? isPlain : tag == YAMLScalar.tagPrefix + "merge"
    }

    private func mergeSources(_ value: JSONValue, at mark: YAMLMark) throws(YAMLError) -> [JSONValue] {
        switch value {
        case .object: return [value]
        case .array(let elements) where elements.allSatisfy({ $0.object != nil }): return elements
        default: throw mark.error("<< takes a mapping or a sequence of mappings")
        }
    }

    private mutating func key(_ event: YAMLEvent) throws(YAMLError) -> String {
        switch event.content {
        case .scalar, .alias: break
        default: throw event.mark.error("a key must be a string, not a collection")
        }
        // A float key keeps its text: `1.0:` is the key "1.0".
        if case .scalar(let text, nil, true, _) = event.content, case .float = YAMLScalar.kind(of: text) {
            _ = try node(event, depth: 0)
            return text
        }
        switch try node(event, depth: 0).value {
        case .string(let text): return text
        case .int(let number): return String(number)
        case .double(let number): return "\(number)"
        case .bool(let flag): return flag ? "true" : "false"
        case .null: throw event.mark.error("a key must not be null: quote it")
        case .array, .object: throw event.mark.error("a key must be a string, not a collection")
        }
    }
}
