/// Reads the index of a pack, version 2 (gitformat-pack(5)): a header of 8 bytes, 256 counts of 4 bytes, the sorted ids, 4 bytes of
/// checksum for each, 4 bytes of offset for each.
enum PackIndex {
    private static let header: [UInt8] = [0xFF, 0x74, 0x4F, 0x63, 0, 0, 0, 2]
    private static let names = header.count + 256 * 4
    /// Only packs of SHA-1 repositories are joined.
    private static let idLength = 20

    static func bytes(of id: GitObjectID) -> [UInt8] {
        stride(from: 0, to: id.hex.utf8.count, by: 2).compactMap { UInt8(id.hex.dropFirst($0).prefix(2), radix: 16) }
    }

    private static func number(_ index: [UInt8], _ offset: Int) -> Int { index[offset..<(offset + 4)].reduce(0) { $0 << 8 | Int($1) } }

    static func contains(_ id: GitObjectID, in index: [UInt8]) -> Bool {
        let wanted = bytes(of: id)
        guard index.count > names, index.starts(with: header), let first = wanted.first else { return false }
        var low = first == 0 ? 0 : number(index, header.count + (Int(first) - 1) * 4)
        var high = number(index, header.count + Int(first) * 4)
        guard low <= high, names + high * wanted.count <= index.count else { return false }
        while low < high {
            let middle = (low + high) / 2
            let name = index[(names + middle * wanted.count)..<(names + (middle + 1) * wanted.count)]
            if name.elementsEqual(wanted) { return true }
            if name.lexicographicallyPrecedes(wanted) { low = middle + 1 } else { high = middle }
        }
        return false
    }

    /// Every object with its offset in the pack; nil for an index in an unknown format, or of a pack over 2 GiB.
    static func objects(in index: [UInt8]) -> [(id: [UInt8], offset: Int)]? {
        guard index.count >= names, index.starts(with: header) else { return nil }
        let count = number(index, names - 4)
        guard index.count >= names + count * (idLength + 8) else { return nil }
        var objects: [(id: [UInt8], offset: Int)] = []
        objects.reserveCapacity(count)
        for place in 0..<count {
            let offset = number(index, names + count * (idLength + 4) + place * 4)
            guard offset < 1 << 31 else { return nil }
            objects.append((Array(index[(names + place * idLength)..<(names + (place + 1) * idLength)]), offset))
        }
        return objects
    }
}
