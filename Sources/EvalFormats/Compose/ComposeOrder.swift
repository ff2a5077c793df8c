import EvalModel

/// Reads `depends_on` and `links`, and orders the services.
struct ComposeOrder {
    enum Condition: String {
        case started = "service_started"
        case healthy = "service_healthy"
        case completed = "service_completed_successfully"
    }

    struct Dependency: Hashable {
        var service: String
        var condition: Condition
        /// Where the file says it.
        var path: String
    }

    /// By service, `main` included.
    private(set) var dependencies: [String: [Dependency]] = [:]

    init(_ services: [(name: String, node: ComposeNode)], _ notes: inout ComposeNotes) {
        let known = Set(services.map(\.name) + [TaskArtifact.mainService])
        for (name, node) in services {
            dependencies[name] = Self.dependencies(of: node, known, &notes)
            for found in dependencies[name] ?? [] where found.service == TaskArtifact.mainService {
                notes.refuse(found.path, "main is the trial, which begins after all services: remove it")
            }
        }
    }

    private static func dependencies(of node: ComposeNode, _ known: Set<String>, _ notes: inout ComposeNotes) -> [Dependency] {
        var found: [Dependency] = []
        func add(_ name: String, _ condition: Condition, required: Bool, _ path: String) {
            if known.contains(name) {
                found.append(Dependency(service: name, condition: condition, path: path))
            } else if required {
                notes.refuse(path, "there is no service \"\(name)\"")
            }
        }
        if let list = node["depends_on"] {
            if let members = list.members {
                for (name, member) in members {
                    let text = member["condition"]?.text ?? Condition.started.rawValue
                    guard let condition = Condition(rawValue: text) else {
                        notes.refuse(
                            "\(member.path).condition", "\"\(text)\" must be service_started, service_healthy or service_completed_successfully")
                        continue
                    }
                    add(name, condition, required: member["required"]?.flag ?? true, member.path)
                }
            } else if let names = list.texts {
                for name in names { add(name, .started, required: true, list.path) }
            } else {
                notes.refuse(list.path, "must be a list or a map of services")
            }
        }
        for link in node["links"]?.texts ?? [] {
            add(String(link.prefix { $0 != ":" }), .started, required: true, "\(node.path).links")
        }
        return found
    }

    /// What some service waits for with a condition.
    func awaited(_ condition: Condition) -> [String: String] {
        var found: [String: String] = [:]
        for dependency in dependencies.sorted(by: { $0.key < $1.key }).flatMap(\.value) where dependency.condition == condition {
            found[dependency.service] = found[dependency.service] ?? dependency.path
        }
        return found
    }

    /// The services, each after what it depends on, otherwise by name.
    func order(_ names: [String], _ notes: inout ComposeNotes) -> [String] {
        var ordered: [String] = []
        var left = names.sorted()
        while !left.isEmpty {
            guard
                let next = left.first(where: { name in
                    (dependencies[name] ?? []).allSatisfy { ordered.contains($0.service) || !names.contains($0.service) }
                })
            else {
                notes.refuse("services", "\(left.joined(separator: ", ")) depend on each other in a circle")
                return ordered + left
            }
            ordered.append(next)
            left.removeAll { $0 == next }
        }
        return ordered
    }
}
