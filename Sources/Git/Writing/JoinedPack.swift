import Base

/// The outer format of a packfile (gitformat-pack(5)): `PACK`, the version 2, a count of 4 bytes, that many objects, and the SHA-1 of
/// everything before. The objects themselves are not checked.
struct PackFrame: Sendable {
    static let headerLength = 12
    static let trailerLength = 20
    static let magic: [UInt8] = [0x50, 0x41, 0x43, 0x4B, 0, 0, 0, 2]
    /// One byte for type and size, and the shortest zlib stream.
    private static let shortestObject = 9

    let count: Int
    let body: ArraySlice<UInt8>

    /// nil if the bytes do not have this format, the count is impossible, or the SHA-1 is wrong.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.headerLength + Self.trailerLength, bytes.starts(with: Self.magic) else { return nil }
        let end = bytes.count - Self.trailerLength
        count = bytes[8..<12].reduce(0) { $0 << 8 | Int($1) }
        body = bytes[Self.headerLength..<end]
        guard count > 0, count <= body.count / Self.shortestObject, SHA1.digest(of: bytes[..<end]).elementsEqual(bytes[end...]) else { return nil }
    }
}

/// Several packs joined into one, with their objects behind one header, so that git can check them with one process. Offsets between
/// objects (OFS_DELTA) are relative, so that they stay correct.
///
/// The packs come from trials and are untrusted. When git accepts the joined pack, each pack is valid only if `isSplit` is true; otherwise
/// a pack could depend on objects of another one.
struct JoinedPack: Sendable {
    let bytes: [UInt8]
    /// The range and number of objects of each pack in the joined pack.
    private let parts: [(range: Range<Int>, count: Int)]

    /// nil if there are more objects than a pack can count.
    init?(_ frames: [PackFrame]) {
        let count = frames.reduce(0) { $0 + $1.count }
        guard count <= Int(UInt32.max) else { return nil }
        var bytes = PackFrame.magic
        bytes.reserveCapacity(frames.reduce(PackFrame.headerLength + PackFrame.trailerLength) { $0 + $1.body.count })
        for shift in stride(from: 24, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
        var parts: [(range: Range<Int>, count: Int)] = []
        for frame in frames {
            let start = bytes.count
            bytes += frame.body
            parts.append((range: start..<bytes.count, count: frame.count))
        }
        bytes += SHA1.digest(of: bytes)
        self.bytes = bytes
        self.parts = parts
    }

    /// Whether each pack, by itself, has as many objects as it says, begins at the start of an object, builds its objects only from its
    /// own, and has its tree.
    ///
    /// - Parameters:
    ///   - index: the index of the joined pack, as git wrote it.
    ///   - trees: for each pack, the tree that it must have.
    func isSplit(by index: [UInt8], trees: [GitObjectID]) -> Bool {
        guard let objects = PackIndex.objects(in: index), trees.count == parts.count else { return false }
        let sorted = objects.sorted { $0.offset < $1.offset }
        var next = 0
        for ((range, count), tree) in zip(parts, trees) {
            guard next + count <= sorted.count else { return false }
            let own = sorted[next..<(next + count)]
            next += count
            // The last object ends before the next pack begins, because the next pack is checked to begin with an object.
            guard own.first?.offset == range.lowerBound, let last = own.last, last.offset < range.upperBound else { return false }
            let ids = Set(own.map(\.id))
            guard ids.contains(PackIndex.bytes(of: tree)) else { return false }
            for object in own where !isMade(object.offset, from: range) { return false }
        }
        return next == sorted.count
    }

    /// Whether the object at an offset is complete or a delta to one of the same pack. False for a delta that names its base by id
    /// (REF_DELTA): the base may be in another pack, and a collector writes no such deltas.
    private func isMade(_ offset: Int, from range: Range<Int>) -> Bool {
        var rest = bytes[offset..<range.upperBound]
        guard var byte = rest.popFirst() else { return false }
        let type = byte >> 4 & 7
        while byte & 0x80 != 0 {
            guard let following = rest.popFirst() else { return false }
            byte = following
        }
        switch type {
        case 6:
            var distance = 0
            for length in 0..<8 {
                guard let byte = rest.popFirst() else { return false }
                distance = (length == 0 ? 0 : (distance + 1) << 7) | Int(byte & 0x7F)
                if byte & 0x80 == 0 { return distance > 0 && offset - distance >= range.lowerBound }
            }
            return false
        case 1...4: return true
        default: return false
        }
    }
}
