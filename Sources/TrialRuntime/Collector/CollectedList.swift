import Base

/// `collected.json`: lists the files that the pack does not hold, and the files that it holds under another name than the original.
struct CollectedList {
    let pack: OutputPack

    init(_ pack: OutputPack) { self.pack = pack }

    func json(adding summary: [String: JSONValue]) -> JSONValue {
        let entries = pack.entries
        let files = entries.filter { !$0.isDerived }
        let cut = entries.filter { $0.kept < $0.size }.sorted { $0.size - $0.kept > $1.size - $1.kept }
        let renamed = files.filter { $0.path.dropFirst().map { Array($0.utf8) } != $0.original }
        let redacted = files.filter { !$0.redactions.isEmpty }
        var object = summary
        object["schemaVersion"] = 1
        object["files"] = JSONValue(files.count)
        object["bytes"] = JSONValue(files.reduce(0) { $0 + $1.size })
        object["limits"] = [
            "packBytes": JSONValue(pack.limits.pack), "readBytes": JSONValue(pack.limits.read),
            "entries": JSONValue(pack.limits.entries), "depth": JSONValue(pack.limits.depth),
        ]
        object["truncated"] = list(cut) { entry in
            [
                "path": .string(entry.path.joined(separator: "/")), "bytes": JSONValue(entry.size),
                "kept": JSONValue(entry.kept),
            ]
        }
        object["unfinished"] = list(pack.tree.unfinished) { entryJSON($0, "reason") }
        object["skipped"] = list(pack.tree.skipped) { entryJSON($0, "kind") }
        object["unreadable"] = list(pack.tree.unreadable) { entryJSON($0, "reason") }
        object["renamed"] = list(renamed) { entry in
            [
                "path": .string(entry.path.joined(separator: "/")),
                // Percent-decoding `path` gives the original name, except for a secret in the name, which cannot be restored.
                "original": .string(shown(entry.original)),
            ]
        }
        object["redacted"] = list(redacted) { entry in
            ["path": .string(entry.path.joined(separator: "/")), "count": JSONValue(entry.redactions.values.reduce(0, +))]
        }
        object["redactedSecrets"] = .object(pack.redactions.mapValues { JSONValue($0) })
        object["unredactedSecrets"] = .array(pack.filter.unredacted.map { .string($0) })
        if let handover = pack.handover { object["artifacts"] = artifacts(handover) }
        if let source = pack.transcript { object["transcript"] = .string(source.rawValue) }
        return .object(object)
    }

    private func artifacts(_ handover: ArtifactHandover) -> JSONValue {
        [
            "files": JSONValue(handover.files), "bytes": JSONValue(handover.bytes), "limitBytes": JSONValue(handover.limits.bytes),
            "leftOut": list(handover.leftOut) { item in
                let below = item.components.isEmpty ? "" : "/" + shown(item.components)
                return ["path": .string(item.source + below), "reason": .string(item.why)]
            },
        ]
    }

    private func list<Item>(_ items: [Item], _ describe: (Item) -> JSONValue) -> JSONValue {
        ["count": JSONValue(items.count), "items": .array(items.prefix(pack.limits.listed).map(describe))]
    }

    private func entryJSON(_ item: LogTree.SkippedEntry, _ key: String) -> JSONValue {
        ["path": .string("logs/" + shown(item.components)), key: .string(item.what)]
    }

    /// The path without secrets and control characters, cut to the longest length that a path may have.
    private func shown(_ components: [[UInt8]]) -> String {
        let text = pack.filter.path(components).map(SafeName.encode).joined(separator: "/")
        return text.utf8.count <= 4096 ? text : String(text.prefix(1000)) + "..."
    }
}
