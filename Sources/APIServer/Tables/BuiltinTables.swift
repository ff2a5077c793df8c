import Base

/// The tables of built-in kinds (kubernetes `pkg/printers/internalversion`).
enum BuiltinTables {
    static let plain = TablePrinter(columns: [.name, .createdAt]) { object, _ in
        [name(object), object.at("metadata", "creationTimestamp") ?? ""]
    }

    static let printers: [ResourceID: TablePrinter] = [
        .pods: PodTable.printer,
        .events: events,
        .namespaces: TablePrinter(columns: [.name, TableColumn(name: "Status"), .age]) { object, now in
            [name(object), object.at("status", "phase") ?? "", TablePrinter.age(object, now)]
        },
        ResourceID("configmaps"): TablePrinter(columns: [.name, TableColumn(name: "Data"), .age]) { object, now in
            let count = (object["data"]?.object?.count ?? 0) + (object["binaryData"]?.object?.count ?? 0)
            return [name(object), JSONValue(count), TablePrinter.age(object, now)]
        },
        ResourceID("secrets"): TablePrinter(columns: [.name, TableColumn(name: "Type"), TableColumn(name: "Data"), .age]) {
            object, now in
            [name(object), object["type"] ?? "", JSONValue(object["data"]?.object?.count ?? 0), TablePrinter.age(object, now)]
        },
        ResourceID("serviceaccounts"): TablePrinter(columns: [.name, TableColumn(name: "Secrets"), .age]) { object, now in
            [name(object), JSONValue(object["secrets"]?.array?.count ?? 0), TablePrinter.age(object, now)]
        },
        ResourceID("nodes"): nodes,
        ResourceID("leases", group: "coordination.k8s.io"): TablePrinter(columns: [.name, TableColumn(name: "Holder"), .age]) {
            object, now in
            [name(object), object.at("spec", "holderIdentity") ?? "", TablePrinter.age(object, now)]
        },
        ResourceID("deployments", group: "apps"): TablePrinter(columns: [
            .name, TableColumn(name: "Ready"), TableColumn(name: "Up-to-date"), TableColumn(name: "Available"), .age,
        ]) { object, now in
            let status = object["status"] ?? [:]
            let wanted = object.at("spec", "replicas")?.int ?? 1
            return [
                name(object), "\(status["readyReplicas"]?.int ?? 0)/\(wanted)", JSONValue(status["updatedReplicas"]?.int ?? 0),
                JSONValue(status["availableReplicas"]?.int ?? 0), TablePrinter.age(object, now),
            ]
        },
        ResourceID("rolebindings", group: "rbac.authorization.k8s.io"): bindings,
        ResourceID("clusterrolebindings", group: "rbac.authorization.k8s.io"): bindings,
    ]

    private static let bindings = TablePrinter(columns: [.name, TableColumn(name: "Role"), .age]) { object, now in
        let role = "\(object.at("roleRef", "kind")?.string ?? "")/\(object.at("roleRef", "name")?.string ?? "")"
        return [name(object), .string(role), TablePrinter.age(object, now)]
    }

    private static let nodes = TablePrinter(columns: [
        .name, TableColumn(name: "Status"), TableColumn(name: "Roles"), .age, TableColumn(name: "Version"),
        TableColumn(name: "Internal-IP", priority: 1), TableColumn(name: "OS-Image", priority: 1),
        TableColumn(name: "Kernel-Version", priority: 1), TableColumn(name: "Container-Runtime", priority: 1),
    ]) { object, now in
        let ready = (object.at("status", "conditions")?.array ?? []).first { $0["type"]?.string == "Ready" }?["status"]?.string
        var status = ready == "True" ? "Ready" : ready == nil ? "Unknown" : "NotReady"
        if object.at("spec", "unschedulable")?.bool == true { status += ",SchedulingDisabled" }
        let prefix = "node-role.kubernetes.io/"
        let roles = (object.at("metadata", "labels")?.object ?? [:]).keys.filter { $0.hasPrefix(prefix) }.map {
            $0.dropFirst(prefix.count)
        }
        let address = (object.at("status", "addresses")?.array ?? []).first { $0["type"]?.string == "InternalIP" }?["address"]
        let info = object.at("status", "nodeInfo") ?? [:]
        return [
            name(object), .string(status), .string(roles.isEmpty ? "<none>" : roles.sorted().joined(separator: ",")),
            TablePrinter.age(object, now), info["kubeletVersion"] ?? "", address ?? "<none>", info["osImage"] ?? "<unknown>",
            info["kernelVersion"] ?? "<unknown>", info["containerRuntimeVersion"] ?? "<unknown>",
        ]
    }

    private static let events = TablePrinter(columns: [
        TableColumn(name: "Last Seen"), TableColumn(name: "Type"), TableColumn(name: "Reason"), TableColumn(name: "Object"),
        TableColumn(name: "Subobject", priority: 1), TableColumn(name: "Source", priority: 1), TableColumn(name: "Message"),
        TableColumn(name: "First Seen", priority: 1), TableColumn(name: "Count", priority: 1),
        TableColumn(name: "Name", format: "name", priority: 1),
    ]) { object, now in
        let created = object.at("metadata", "creationTimestamp")
        let eventTime = object["eventTime"]?.string == nil ? nil : object["eventTime"]
        let first = object["firstTimestamp"]?.string == nil ? eventTime ?? created : object["firstTimestamp"]
        let last =
            object.at("series", "lastObservedTime") ?? (object["lastTimestamp"]?.string == nil ? first : object["lastTimestamp"])
        let involved = object["involvedObject"] ?? [:]
        let kind = involved["kind"]?.string?.lowercased() ?? ""
        let component = object.at("source", "component")?.string ?? object["reportingComponent"]?.string ?? ""
        let host = object.at("source", "host")?.string
        return [
            .string(TablePrinter.since(last, now)), object["type"] ?? "", object["reason"] ?? "",
            .string("\(kind)/\(involved["name"]?.string ?? "")"), involved["fieldPath"] ?? "",
            .string(host.map { "\(component), \($0)" } ?? component),
            .string((object["message"]?.string ?? "").trimming { $0.isWhitespace }.description),
            .string(TablePrinter.since(first, now)), object.at("series", "count") ?? object["count"] ?? 1, name(object),
        ]
    }

    private static func name(_ object: JSONValue) -> JSONValue { object.at("metadata", "name") ?? "" }
}
