/// A table under construction. It remembers how it was defined, because that decides whether later lines may add to it.
final class TOMLBuilder {
    enum Origin {
        /// So far named only as the parent in a longer header; a header of its own may still define it.
        case implied
        /// Defined by a header, or an element of an array of tables.
        case header
        /// Made by a dotted key. Only dotted keys of the same table, and headers of subtables, may add to it.
        case dotted
        /// Written between braces; nothing may be added.
        case inline
    }

    enum Slot {
        case value(TOMLNode)
        case table(TOMLBuilder)
        case tableArray([TOMLBuilder])
    }

    struct Entry {
        var key: String
        var position: TOMLPosition
        var slot: Slot
    }

    var origin: Origin
    let position: TOMLPosition
    private(set) var entries: [Entry] = []
    private var index: [String: Int] = [:]

    init(_ origin: Origin, at position: TOMLPosition) {
        self.origin = origin
        self.position = position
    }

    func slot(_ key: String) -> Slot? { index[key].map { entries[$0].slot } }

    func position(of key: String) -> TOMLPosition? { index[key].map { entries[$0].position } }

    /// Adds a new key.
    func add(_ key: TOMLKey, _ slot: Slot) {
        index[key.name] = entries.count
        entries.append(Entry(key: key.name, position: key.position, slot: slot))
    }

    /// Appends to the array of tables under the key.
    func append(_ element: TOMLBuilder, toArray key: String) {
        guard let place = index[key], case .tableArray(var elements) = entries[place].slot else { return }
        // Removed from the table while it grows, so that the array has one owner and is not copied for every element.
        entries[place].slot = .tableArray([])
        elements.append(element)
        entries[place].slot = .tableArray(elements)
    }

    func finished() -> TOMLTable {
        let entries = entries.map { entry in
            switch entry.slot {
            case .value(let node):
                TOMLTable.Entry(key: entry.key, keyPosition: entry.position, node: node)
            case .table(let table):
                TOMLTable.Entry(
                    key: entry.key, keyPosition: entry.position, node: TOMLNode(.table(table.finished()), at: table.position))
            case .tableArray(let tables):
                TOMLTable.Entry(
                    key: entry.key, keyPosition: entry.position,
                    node: TOMLNode(
                        .array(tables.map { TOMLNode(.table($0.finished()), at: $0.position) }), at: entry.position))
            }
        }
        return TOMLTable(entries: entries, index: index)
    }
}

/// One part of a key, with its position.
struct TOMLKey {
    var name: String
    var position: TOMLPosition
}
