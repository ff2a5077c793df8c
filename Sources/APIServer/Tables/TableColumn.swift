import Base

/// The header of a column of a table.
struct TableColumn: Sendable {
    var name: String
    var type = "string"
    var format = ""
    var description = ""
    var priority = 0

    static let createdDescription =
        "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in "
        + "happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in "
        + "UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: "
        + "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"

    static let name = TableColumn(
        name: "Name", format: "name",
        description:
            "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a "
            + "client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence "
            + "and configuration definition. Cannot be updated. More info: "
            + "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names")
    static let age = TableColumn(name: "Age", description: createdDescription)
    static let createdAt = TableColumn(name: "Created At", type: "date", description: createdDescription)

    var value: JSONValue {
        [
            "name": .string(name), "type": .string(type), "format": .string(format), "description": .string(description),
            "priority": JSONValue(priority),
        ]
    }
}

/// Shows a kind as a table: its columns, and the cells of one object.
struct TablePrinter: Sendable {
    var columns: [TableColumn]
    var cells: @Sendable (_ object: JSONValue, _ now: Timestamp) -> [JSONValue]

    static func of(_ kind: ServedKind) -> TablePrinter {
        if let custom = kind.custom {
            let columns = custom.columns
            return TablePrinter(
                columns: [.name]
                    + columns.map {
                        TableColumn(
                            name: $0.name, type: $0.type, format: $0.format, description: $0.description, priority: $0.priority)
                    },
                cells: { object, now in [object.at("metadata", "name") ?? ""] + columns.map { $0.cell(object, now: now) } })
        }
        return BuiltinTables.printers[kind.id] ?? BuiltinTables.plain
    }

    static func age(_ object: JSONValue, _ now: Timestamp) -> JSONValue {
        .string(since(object.at("metadata", "creationTimestamp"), now))
    }

    static func since(_ time: JSONValue?, _ now: Timestamp) -> String {
        guard let text = time?.string, let time = Timestamp(rfc3339: text) else { return "<unknown>" }
        return HumanDuration.text(seconds: now - time)
    }
}
