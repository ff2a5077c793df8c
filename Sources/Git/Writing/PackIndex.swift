/// The names in a pack's index, version 2 (gitformat-pack(5)): a header of 8 bytes, 256 counts of 4 bytes, then the ids, sorted.
enum PackIndex {
    private static let header: [UInt8] = [0xFF, 0x74, 0x4F, 0x63, 0, 0, 0, 2]

    static func contains(_ id: GitObjectID, in index: [UInt8]) -> Bool {
        let wanted = stride(from: 0, to: id.hex.utf8.count, by: 2).compactMap { offset -> UInt8? in
            UInt8(id.hex.dropFirst(offset).prefix(2), radix: 16)
        }
        let names = header.count + 256 * 4
        guard index.count > names, index.starts(with: header), let first = wanted.first else { return false }
        func count(_ byte: Int) -> Int {
            index[(header.count + byte * 4)..<(header.count + byte * 4 + 4)].reduce(0) { $0 << 8 | Int($1) }
        }
        var low = first == 0 ? 0 : count(Int(first) - 1)
        var high = count(Int(first))
        guard low <= high, names + high * wanted.count <= index.count else { return false }
        while low < high {
            let middle = (low + high) / 2
            let name = index[(names + middle * wanted.count)..<(names + (middle + 1) * wanted.count)]
            if name.elementsEqual(wanted) { return true }
            if name.lexicographicallyPrecedes(wanted) { low = middle + 1 } else { high = middle }
        }
        return false
    }
}
